// The report of one run, or of several beside each other, as one HTML page that needs nothing else: no
// network, no other file. Pure: the caller reads uPlot's files and writes the page.

import {
  escapeHtml,
  escapeJson,
  escapeQuantity,
  RUN_COLORS,
  table,
  type TableRow,
} from './html.js';
import { formatBytes, formatCount, formatPercent, significant } from './quantities.js';
import { LOSS_SCRIPT } from './report-loss-script.js';
import { MEMORY_SCRIPT } from './report-memory-script.js';
import { REPORT_CSS } from './report-css.js';
import { type NamedRun, reportData } from './report-data.js';
import { COMMON_SCRIPT, LANGUAGE_SCRIPT, START_SCRIPT } from './report-script.js';
import { STEPS_SCRIPT } from './report-steps-script.js';
import type { RunRecord } from './run-record.js';
import {
  finalEvaluation,
  stepsPerSecond,
  summarize,
  type SummaryRow,
  syncShare,
} from './summary.js';

/** The text of uPlot's `uPlot.iife.min.js` and `uPlot.min.css`, which the page carries inside. */
export interface ChartLibrary {
  readonly script: string;
  readonly css: string;
}

/** Marks a page as ours: such a file may be replaced by a newer one. */
const MARK = '<meta name="generator" content="slowlane">';

/** Whether `text` is a report that this module made. */
export function isReport(text: string): boolean {
  return text.includes(MARK);
}

/** What a run is called where it is alone, and what tells it from others at first sight. */
export function recipeOf({ options }: RunRecord): string {
  return `${String(options['inner'])}${options['lookahead'] === true ? ' inside Lookahead' : ''}`;
}

/** At least one run. */
export function renderReport(runs: readonly NamedRun[], chart: ChartLibrary): string {
  const title = titleOf(runs);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
${MARK}
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>${escapeHtml(title)} · slowlane</title>
<style>${chart.css}</style>
<style>${REPORT_CSS}</style>
</head>
<body>
<main>
${headerOf(title, runs)}
${runs.length === 1 && runs[0] !== undefined ? tiles(runs[0].record) : ''}
${memorySection(runs)}
${lossSection(runs)}
${timesSection(runs)}
${resultsSection(runs)}
</main>
<script type="application/json" id="data">${escapeJson(reportData(runs))}</script>
<script>${LANGUAGE_SCRIPT}</script>
<script>${chart.script}</script>
<script>${COMMON_SCRIPT}${MEMORY_SCRIPT}${LOSS_SCRIPT}${STEPS_SCRIPT}${START_SCRIPT}</script>
</body>
</html>
`;
}

function titleOf(runs: readonly NamedRun[]): string {
  const tasks = new Set(runs.map(({ record }) => `${record.model.name} on ${record.data.name}`));
  const [task = ''] = tasks;
  if (runs.length === 1) return task;
  return tasks.size === 1 ? `${task}: ${runs.length} runs` : `${runs.length} runs`;
}

function headerOf(title: string, runs: readonly NamedRun[]): string {
  const versions = [...new Set(runs.map(({ record }) => record.toolVersion))];
  const [only] = runs;
  const what =
    runs.length === 1 && only !== undefined
      ? `<p class="what">${escapeHtml(only.record.model.description)} · ${formatCount(only.record.model.parameters)} parameters · ${escapeHtml(recipeOf(only.record))}</p>`
      : `<ul class="runs">${runs.map(runItem).join('')}</ul>`;
  return `<header>
<p class="tool">slowlane ${escapeHtml(versions.join(', '))}</p>
<h1>${escapeHtml(title)}</h1>
${what}
${runs.map(partialNote).join('')}${engineNote(runs)}</header>`;
}

function runItem({ name, record }: NamedRun, at: number): string {
  return `<li><span class="swatch run${at % RUN_COLORS}"></span><strong>${escapeHtml(name)}</strong> ${escapeHtml(recipeOf(record))} · ${escapeHtml(record.engine.name)} · ${formatCount(record.steps.done)} steps</li>`;
}

function partialNote({ name, record }: NamedRun, _: number, runs: readonly NamedRun[]): string {
  if (!record.partial) return '';
  const which = runs.length === 1 ? 'Partial run.' : `Partial run (${name}).`;
  return `<p class="partial" role="note"><strong>${escapeHtml(which)}</strong> ${escapeHtml(record.ended)}</p>`;
}

function engineNote(runs: readonly NamedRun[]): string {
  const engines = [...new Set(runs.map(({ record }) => record.engine.name))];
  if (engines.length < 2) return '';
  return `<p class="partial" role="note"><strong>Different engines</strong> (${escapeHtml(engines.join(', '))}): memory and times of these runs do not compare.</p>`;
}

function memorySection(runs: readonly NamedRun[]): string {
  const timed = runs.filter(({ record }) => record.timeline !== null);
  if (timed.length === 0) return '';
  const sources = new Set(timed.map(({ record }) => record.timeline?.source));
  const notes = [
    sources.has('allocator')
      ? 'Every buffer of the device, at every allocation and release; the pool holds what was freed and is kept for reuse.'
      : '',
    sources.has('tensors')
      ? `${sources.size > 1 ? 'Where the engine has an allocator of its own: what' : 'What'} TensorFlow.js says its tensors hold when each step begins; what lives inside a step is not in it, and "activations" are whatever is neither a weight nor a moment.`
      : '',
  ];
  return `<section id="memory">
<h2>Device memory</h2>
<div class="controls"><span class="views" role="group" aria-label="Part of the run"></span><span class="toggles" role="group" aria-label="Categories"></span></div>
<div class="panels"></div>
<p class="read" aria-live="polite"></p>
<p class="note">${escapeHtml(notes.filter((note) => note !== '').join(' '))} Drag to look closer, double-click to go back. Arrow keys go from event to event.</p>
${table(
  'Most allocated at one time',
  timed.map(({ name }) => name),
  peakRows(timed),
)}
</section>`;
}

/** What the memory was for when there was most of it. */
function peakRows(runs: readonly NamedRun[]): TableRow[] {
  const peaks = runs.map(({ record }) => peakOf(record));
  const categories = peaks[0]?.categories ?? [];
  return [
    { label: 'In all', values: peaks.map(({ total }) => formatBytes(total)) },
    ...categories.map((label, at) => ({
      label: `${label[0]?.toUpperCase()}${label.slice(1)}`,
      values: peaks.map(({ bytes }) => formatBytes(bytes[at] ?? 0)),
    })),
    { label: 'In step', values: peaks.map(({ step }) => formatCount(step)) },
    { label: 'In phase', values: peaks.map(({ phase }) => phase) },
    {
      label: 'At any time in use, without the pool',
      values: peaks.map(({ inUse }) => formatBytes(inUse)),
    },
    {
      label: 'Budget',
      values: peaks.map(({ budget }) => (budget === null ? 'none' : formatBytes(budget))),
    },
  ];
}

function peakOf({ timeline }: RunRecord) {
  const { categories = [], phases = [], peak, steps, budgetBytes = null } = timeline ?? {};
  const bytes = peak?.bytes ?? [];
  const pool = categories.indexOf('pool');
  const inUse = (steps?.step ?? []).map((_, row) =>
    (steps?.peak ?? []).reduce((sum, of, at) => sum + (at === pool ? 0 : (of[row] ?? 0)), 0),
  );
  return {
    categories,
    total: bytes.reduce((sum, held) => sum + held, 0),
    inUse: inUse.reduce((most, held) => Math.max(most, held), 0),
    bytes: categories.map((_, at) => bytes[at] ?? 0),
    step: peak?.step ?? 0,
    phase: phases[peak?.phase ?? 0] ?? '',
    budget: budgetBytes,
  };
}

function lossSection(runs: readonly NamedRun[]): string {
  const isEmpty = runs.every(({ record }) => record.losses.length === 0);
  return `<section id="loss">
<h2>Loss</h2>
${
  isEmpty
    ? '<p class="note">No step was taken.</p>'
    : `<div class="controls"><span class="toggles" role="group" aria-label="Curves"></span></div>
<div class="panels"></div>
<p class="read" aria-live="polite"></p>
<noscript><p>The curves need JavaScript; their values are in run.json.</p></noscript>`
}
</section>`;
}

function timesSection(runs: readonly NamedRun[]): string {
  if (runs.every(({ record }) => (record.stepTimes?.ms.length ?? 0) === 0)) return '';
  return `<section id="times">
<h2>Time of each step</h2>
<div class="controls"><span class="key"><span class="swatch compute"></span>step</span><span class="key"><span class="swatch sync"></span>of it, sync</span></div>
<div class="panels"></div>
<p class="read" aria-live="polite"></p>
<p class="note">As the main thread sees it: a device may run behind. The first step compiles what later ones use; bars that leave the chart are longer than it shows.</p>
</section>`;
}

function resultsSection(runs: readonly NamedRun[]): string {
  const heads = runs.map(({ name }) => name);
  const groups = merged(runs.map(({ record }) => summarize(record)));
  const notes = new Set(runs.map(({ record }) => record.data.testNote));
  const wide = runs.length > 1 ? ' wide' : '';
  return `<section class="results${wide}">
<h2>Results</h2>
<div class="tables">
${groups.map(({ title, rows }) => table(title, heads, rows)).join('\n')}
</div>
<p class="note">Evaluated on ${escapeHtml([...notes].join('; '))}. Device bytes are what TensorFlow.js held between two steps; what lives only inside a step (activations, gradients) is not in them.</p>
</section>
<section class="${wide}">
<h2>${runs.length === 1 ? 'Run' : 'Runs'}</h2>
<div class="tables">
${table('Options', heads, rowsOf(runs.map(({ record }) => optionRows(record))))}
${table('Machine', heads, rowsOf(runs.map(({ record }) => machineRows(record))))}
</div>
${runs.map(({ record }) => `<p class="command"><code>${escapeHtml(['slowlane', ...record.command].join(' '))}</code></p>`).join('\n')}
</section>`;
}

function merged(all: readonly ReturnType<typeof summarize>[]) {
  const titles = [...new Set(all.flatMap((groups) => groups.map(({ title }) => title)))];
  return titles.map((title) => ({
    title,
    rows: rowsOf(all.map((groups) => groups.find((group) => group.title === title)?.rows ?? [])),
  }));
}

/** Rows of several tables beside each other: labels in the order in which they are first seen. */
function rowsOf(tables: readonly (readonly SummaryRow[])[]): TableRow[] {
  const labels = [...new Set(tables.flatMap((rows) => rows.map(({ label }) => label)))];
  return labels.map((label) => ({
    label,
    values: tables.map((rows) => rows.find((row) => row.label === label)?.value),
  }));
}

function tiles(record: RunRecord): string {
  const final = finalEvaluation(record);
  const { host, deviceBytes } = record.memory;
  const all = [
    final && tile('Test accuracy', formatPercent(final.accuracy), `${final.weights} weights`),
    tile('Device', formatBytes(deviceBytes), 'logical, between batches'),
    host &&
      tile(
        'Host',
        formatBytes(host.slowBytes),
        `slow weights, and ${formatBytes(host.stagingBytes)} staging`,
      ),
    record.sync &&
      tile(
        'Sync',
        formatPercent(syncShare(record)),
        `of training, ${formatCount(record.sync.syncs)} syncs`,
      ),
    tile('Speed', `${significant(stepsPerSecond(record))}/s`, `steps, on ${record.engine.name}`),
  ];
  return `<dl class="tiles">${all.filter((one) => one !== undefined && one !== null).join('')}</dl>`;
}

function tile(label: string, value: string, detail: string): string {
  return `<div><dt>${escapeHtml(label)}</dt><dd>${escapeHtml(value)}<small>${escapeQuantity(detail)}</small></dd></div>`;
}

function optionRows(record: RunRecord): SummaryRow[] {
  return Object.entries(record.options).map(([label, value]) => ({ label, value: String(value) }));
}

function machineRows(record: RunRecord): SummaryRow[] {
  const { platform, engine } = record;
  const rows = [
    { label: 'Started', value: record.startedAt.replace('T', ' ').replace(/\.\d+Z$/, ' UTC') },
    { label: 'Engine', value: engine.name },
    { label: 'Engine, why', value: engine.note },
    { label: 'Node', value: record.node },
    { label: 'System', value: platform.system },
    { label: 'CPU', value: `${platform.cpu}, ${platform.cores} cores` },
    { label: 'Memory', value: formatBytes(platform.memoryBytes) },
  ];
  return rows.filter(({ value }) => value !== '');
}
