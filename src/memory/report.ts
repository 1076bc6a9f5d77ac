// The report of a run as one HTML page that needs nothing else: no network, no other file. Pure: the
// caller reads uPlot's files and writes the page.

import { formatBytes, formatCount, formatPercent, significant } from './quantities.js';
import { REPORT_CSS } from './report-css.js';
import { LANGUAGE_SCRIPT, REPORT_SCRIPT } from './report-script.js';
import type { RunRecord } from './run-record.js';
import { centeredMeans } from './smoothing.js';
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

export function renderReport(record: RunRecord, chart: ChartLibrary): string {
  const { data, model } = record;
  const title = `${model.name} on ${data.name}`;
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
<header>
<p class="tool">slowlane ${escapeHtml(record.toolVersion)}</p>
<h1>${escapeHtml(title)}</h1>
<p class="what">${escapeHtml(model.description)} · ${formatCount(model.parameters)} parameters · ${escapeHtml(recipe(record))}</p>
${record.partial ? `<p class="partial" role="note"><strong>Partial run.</strong> ${escapeHtml(record.ended)}</p>` : ''}
</header>
${headline(record)}
<section>
<h2>Training loss</h2>
<div id="chart" role="img" aria-label="Training loss by step"></div>
<ul class="key"><li class="raw">each batch</li><li class="smooth">smoothed</li></ul>
<noscript><p>The curve needs JavaScript; its values are in run.json.</p></noscript>
</section>
<section class="results">
<h2>Results</h2>
<div class="tables">
${summarize(record)
  .map(({ title: caption, rows }) => table(caption, rows))
  .join('\n')}
</div>
<p class="note">Evaluated on ${escapeHtml(data.testNote)}. Device bytes are what TensorFlow.js held between two steps; what lives only inside a step (activations, gradients) is not in them.</p>
</section>
<section>
<h2>Run</h2>
<div class="tables">
${table('Options', optionRows(record))}
${table('Machine', machineRows(record))}
</div>
<p class="command"><code>${escapeHtml(['slowlane', ...record.command].join(' '))}</code></p>
</section>
</main>
<script type="application/json" id="curve">${escapeJson(curve(record))}</script>
<script>${LANGUAGE_SCRIPT}</script>
<script>${chart.script}</script>
<script>${REPORT_SCRIPT}</script>
</body>
</html>
`;
}

function recipe({ options }: RunRecord): string {
  return `${String(options['inner'])}${options['lookahead'] === true ? ' inside Lookahead' : ''}`;
}

function headline(record: RunRecord): string {
  const final = finalEvaluation(record);
  const { host, deviceBytes } = record.memory;
  const tiles = [
    final === undefined
      ? undefined
      : tile('Test accuracy', formatPercent(final.accuracy), `${final.weights} weights`),
    tile('Device', formatBytes(deviceBytes), 'logical, between batches'),
    host === null
      ? undefined
      : tile(
          'Host',
          formatBytes(host.slowBytes),
          `slow weights, and ${formatBytes(host.stagingBytes)} staging`,
        ),
    record.sync === null
      ? undefined
      : tile(
          'Sync',
          formatPercent(syncShare(record)),
          `of training, ${formatCount(record.sync.syncs)} syncs`,
        ),
    tile('Speed', `${significant(stepsPerSecond(record))}/s`, `steps, on ${record.engine.name}`),
  ];
  return `<dl class="tiles">${tiles.filter((one) => one !== undefined).join('')}</dl>`;
}

function tile(label: string, value: string, detail: string): string {
  return `<div><dt>${escapeHtml(label)}</dt><dd>${escapeHtml(value)}<small>${escapeQuantity(detail)}</small></dd></div>`;
}

function table(caption: string, rows: readonly SummaryRow[]): string {
  const body = rows
    .map(
      ({ label, value }) =>
        `<tr><th scope="row">${escapeHtml(label)}</th><td>${escapeQuantity(value)}</td></tr>`,
    )
    .join('');
  return `<table><caption>${escapeHtml(caption)}</caption><tbody>${body}</tbody></table>`;
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

/** What the chart draws: steps, losses, means. */
function curve({ losses }: RunRecord): (number | null)[][] {
  const values = losses.map(({ loss }) => loss);
  return [losses.map(({ step }) => step), values, centeredMeans(values)];
}

/** Keeps a number and its unit on one line. */
function escapeQuantity(text: string): string {
  return escapeHtml(text).replaceAll(/(\d) (?=\S)/g, '$1&nbsp;');
}

/** Text as it may stand between tags and in attributes. */
function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/** JSON that can stand inside a script element: nothing in it can end the element. */
function escapeJson(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c');
}
