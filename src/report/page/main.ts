// The scripts of a report: draws its sections, and draws them again when the colours change.

import './language.js'; // before uPlot

import { startLive } from './live.js';
import { lossSection } from './loss.js';
import { memorySection } from './memory.js';
import { stepsSection } from './steps.js';

const sections = [memorySection(), lossSection(), stepsSection()].filter((one) => one !== null);

function drawAll(): void {
  for (const section of sections) section.draw();
}
drawAll();
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll);
const root = document.documentElement;
addEventListener('beforeprint', () => {
  root.dataset['print'] = '';
  drawAll();
});
addEventListener('afterprint', () => {
  delete root.dataset['print'];
  drawAll();
});

// Only a live page has a place for the note that its connection is lost.
if (document.getElementById('lost') !== null) startLive(sections);
