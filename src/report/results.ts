// Results, options and machines as tables, one column per run.

import { escapeHtml, table, type TableRow } from './html.js';
import { formatBytes } from '../checks/quantities.js';
import type { NamedRun } from './data.js';
import type { RunRecord } from '../records/run-record.js';
import { summarize, type SummaryRow } from './summary.js';

export function resultsTables(runs: readonly NamedRun[]): string {
  const heads = runs.map(({ name }) => name);
  const groups = merged(runs.map(({ record }) => summarize(record)));
  const notes = new Set(runs.map(({ record }) => record.data.testNote));
  // A run that still goes on has no evaluation.
  const isEvaluated = groups.some(({ title }) => title === 'Quality');
  const evaluated = isEvaluated ? `Evaluated on ${escapeHtml([...notes].join('; '))}. ` : '';
  const wide = runs.length > 1 ? ' wide' : '';
  return `<section class="results${wide}">
<h2>Results</h2>
<div class="tables">
${groups.map(({ title, rows }) => table(title, heads, rows)).join('\n')}
</div>
<p class="note">${evaluated}Device bytes are what TensorFlow.js held between two steps; what lives only inside a step (activations, gradients) is not in them.</p>
</section>
<section class="${wide}">
<h2>${runs.length === 1 ? 'Run' : 'Runs'}</h2>
<div class="tables">
${table('Options', heads, rowsOf(runs.map(({ record }) => optionRows(record))))}
${table('Machine', heads, rowsOf(runs.map(({ record }) => machineRows(record))))}
</div>
${runs.map(({ record }) => `<p class="command"><code>${escapeHtml(['slowlane', ...record.command].map(quoted).join(' '))}</code></p>`).join('\n')}
</section>`;
}

function merged(all: readonly ReturnType<typeof summarize>[]) {
  const titles = [...new Set(all.flatMap((groups) => groups.map(({ title }) => title)))];
  return titles.map((title) => ({
    title,
    rows: rowsOf(all.map((groups) => groups.find((group) => group.title === title)?.rows ?? [])),
  }));
}

/** Merges the rows of several tables by label. Labels keep the order in which they first appear. */
function rowsOf(tables: readonly (readonly SummaryRow[])[]): TableRow[] {
  const labels = [...new Set(tables.flatMap((rows) => rows.map(({ label }) => label)))];
  return labels.map((label) => ({
    label,
    values: tables.map((rows) => rows.find((row) => row.label === label)?.value),
  }));
}

function optionRows(record: RunRecord): SummaryRow[] {
  const overrides = (record.overrides ?? []).map(({ weights, ...values }) => ({
    label: `override ${weights}`,
    value: Object.entries(values)
      .map(([name, value]) => (value === true ? name : `${name} ${value}`))
      .join(', '),
  }));
  const options = Object.entries(record.options);
  return [...options.map(([label, value]) => ({ label, value: String(value) })), ...overrides];
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

/** An argument as a shell takes it. */
function quoted(argument: string): string {
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", `'\\''`)}'`;
}
