// The report of one or more runs as one HTML page that loads nothing. Pure: the caller writes the page.

import { escapeHtml, escapeJson } from './html.js';
import { type NamedRun, type ReportData, reportData } from './data.js';
import { withRecentMoves } from './memory-points.js';
import { type LiveNote, recipeOf, type ReportParts, reportParts, titleOf } from './parts.js';
import { PAGE_SCRIPT, PAGE_STYLE } from './page-generated.js';
import type { RunRecord } from '../records/run-record.js';

/** What a page shows, and what changes while its run goes on. */
export interface ReportState {
  readonly title: string;
  readonly parts: ReportParts;
  readonly data: ReportData;
}

/** Marks a page as ours, so that a newer one may replace it. */
const MARK = '<meta name="generator" content="slowlane">';

/** A page may load nothing. A live page may also connect to its own server. */
export const PAGE_POLICY =
  "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:";
export const LIVE_POLICY = `${PAGE_POLICY}; connect-src 'self'; base-uri 'none'; form-action 'none'`;

/** Whether `text` is a report that this module made. */
export function isReport(text: string): boolean {
  return text.includes(MARK);
}

/** At least one run. */
export function renderReport(runs: readonly NamedRun[]): string {
  const state = { title: titleOf(runs), parts: reportParts(runs), data: reportData(runs) };
  return renderPage(state, false);
}

/** A live page gets this many of the last moves, and all of them when the run ends. */
const LIVE_MOVES = 1024;

/** What a live page shows while the run goes on. */
export function runningState(record: RunRecord): ReportState {
  const timeline = record.timeline && withRecentMoves(record.timeline, LIVE_MOVES);
  return stateOf({ ...record, timeline }, { isRunning: true, reportPath: null });
}

/** What a live page shows after the run. `reportPath` is null if there is no report. */
export function endedState(record: RunRecord, reportPath: string | null): ReportState {
  return stateOf(record, { isRunning: false, reportPath });
}

function stateOf(record: RunRecord, live: LiveNote): ReportState {
  const runs = [{ name: recipeOf(record), record }];
  return { title: titleOf(runs), parts: reportParts(runs, live), data: reportData(runs) };
}

/** The live page. It gets what is new from `events` beside its own address. */
export function renderLivePage(state: ReportState): string {
  return renderPage(state, true);
}

function renderPage({ title, parts, data }: ReportState, isLive: boolean): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
${MARK}
<meta http-equiv="Content-Security-Policy" content="${isLive ? LIVE_POLICY : PAGE_POLICY}">
<link rel="icon" href="data:,">
<title>${escapeHtml(title)} · slowlane</title>
<style>${PAGE_STYLE}</style>
</head>
<body>
<main>
${isLive ? '<p id="lost" class="partial" role="alert" hidden></p>\n' : ''}${part('header', parts)}
${part('tiles', parts)}
${memorySection(data, parts)}
${lossSection(data, isLive)}
${timesSection(data, isLive)}
${part('results', parts)}
</main>
<script type="application/json" id="data">${escapeJson(data)}</script>
<script>${PAGE_SCRIPT}</script>
</body>
</html>
`;
}

function part(name: keyof ReportParts, parts: ReportParts): string {
  return `<div data-part="${name}">${parts[name]}</div>`;
}

function memorySection({ runs }: ReportData, parts: ReportParts): string {
  const sources = new Set(runs.flatMap(({ memory }) => (memory === null ? [] : [memory.source])));
  if (sources.size === 0) return '';
  const notes = [
    sources.has('allocator')
      ? 'Every buffer of the device, at every allocation and release. The pool holds freed buffers that are kept for reuse.'
      : '',
    sources.has('tensors')
      ? `${sources.size > 1 ? 'For engines without slowlane’s allocator, the chart shows' : 'The chart shows'} what TensorFlow.js reports when each step begins. It does not contain what lives only inside a step, and everything that is neither a weight nor a moment counts as activations.`
      : '',
  ];
  return `<section id="memory">
<h2>Device memory</h2>
<div class="controls"><span class="views" role="group" aria-label="Part of the run"></span><span class="toggles" role="group" aria-label="Categories"></span></div>
<div class="panels"></div>
<p class="read" aria-live="polite"></p>
<p class="note">${escapeHtml(notes.filter((note) => note !== '').join(' '))} Drag to look closer, double-click to go back. Arrow keys go from event to event.</p>
${part('peak', parts)}
</section>`;
}

/** The scripts hide a section while it has nothing to draw. A live page may get data later. */
function lossSection({ runs }: ReportData, isLive: boolean): string {
  const isEmpty = !isLive && runs.every(({ loss }) => loss.step.length === 0);
  return `<section id="loss">
<h2>Loss</h2>
${
  isEmpty
    ? '<p class="note">No step was taken.</p>'
    : `<div class="controls"><span class="toggles" role="group" aria-label="Curves"></span></div>
<div class="panels"></div>
<p class="read" aria-live="polite"></p>
<noscript><p>The curves need JavaScript. Their values are in run.json.</p></noscript>`
}
</section>`;
}

function timesSection({ runs }: ReportData, isLive: boolean): string {
  if (!isLive && runs.every(({ times }) => times.ms.length === 0)) return '';
  return `<section id="times">
<h2>Time of each step</h2>
<div class="controls"><span class="key"><span class="swatch compute"></span>step</span><span class="key"><span class="swatch sync"></span>sync, part of the step</span></div>
<div class="panels"></div>
<p class="read" aria-live="polite"></p>
<p class="note">Measured on the main thread; the device may still be working. The first step compiles what later ones use. Triangles mark steps with a sync, if there is room for them. Bars that reach the top are longer than the chart shows.</p>
</section>`;
}
