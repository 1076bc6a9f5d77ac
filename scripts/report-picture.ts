// Makes docs/images/report.png: the device memory of two committed runs, as `slowlane report` shows it in a browser.
//   npx tsx scripts/report-picture.ts
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { readRunRecord } from '../src/records/read-record.js';
import { renderReport } from '../src/report/report.js';
import { launchChromium } from '../test/browser/chromium.js';

const RUNS = {
  'tf.train.adam': 'timeline-tfjs-adam',
  'slowlane, 8-bit moments': 'timeline-lookahead',
};

const runs = Object.entries(RUNS).map(([name, file]) => {
  const path = new URL(`../bench/results/${file}.json`, import.meta.url);
  return { name, record: readRunRecord(readFileSync(path, 'utf8')) };
});
const folder = mkdtempSync(join(tmpdir(), 'slowlane-picture-'));
const browser = await launchChromium({ webgpu: false });
try {
  const html = join(folder, 'report.html');
  writeFileSync(html, renderReport(runs));
  const page = await browser.newPage({
    viewport: { width: 1060, height: 1200 },
    deviceScaleFactor: 1.15,
    colorScheme: 'light',
  });
  await page.goto(pathToFileURL(html).href);
  const chart = await page.locator('#memory .u-over').first().boundingBox();
  if (chart === null) throw new Error('The report has no chart.');
  // A drag zooms: to the first five of eleven steps, whose events are all recorded.
  const y = chart.y + 10;
  await page.mouse.move(chart.x, y);
  await page.mouse.down();
  await page.mouse.move(chart.x + (5 / 11) * chart.width, y, { steps: 5 });
  await page.mouse.up();
  await page.mouse.move(0, 0);
  const end = await page.locator('#memory tr', { hasText: 'In step' }).boundingBox();
  if (end === null) throw new Error('The report has no table of peaks.');
  const path = fileURLToPath(new URL('../docs/images/report.png', import.meta.url));
  await page.screenshot({ path, clip: { x: 0, y: 0, width: 1060, height: end.y } });
} finally {
  await browser.close();
  rmSync(folder, { recursive: true });
}
