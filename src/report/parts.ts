// The HTML of a report, in parts that are replaced while a run goes on: header, tiles, tables.

import { escapeHtml, RUN_COLORS } from './html.js';
import { formatClock, formatCount } from '../checks/quantities.js';
import type { NamedRun } from './data.js';
import { peakTable } from './peak.js';
import { resultsTables } from './results.js';
import { tiles } from './tiles.js';
import { RUNNING, type RunRecord } from '../records/run-record.js';

/** HTML. */
export interface ReportParts {
  readonly header: string;
  readonly tiles: string;
  readonly peak: string;
  readonly results: string;
}

/** What a live page says about its run. */
export interface LiveNote {
  readonly isRunning: boolean;
  /** Null until the report is written. */
  readonly reportPath: string | null;
}

/** The optimizer of a run, which also names a run that is shown alone. */
export function recipeOf({ options }: RunRecord): string {
  return `${String(options['inner'])}${options['lookahead'] === true ? ' inside Lookahead' : ''}`;
}

export function reportParts(runs: readonly NamedRun[], live?: LiveNote): ReportParts {
  const [only] = runs;
  return {
    header: headerOf(titleOf(runs), runs, live),
    tiles: runs.length === 1 && only !== undefined ? tiles(only.record) : '',
    peak: peakTable(runs),
    results: resultsTables(runs),
  };
}

export function titleOf(runs: readonly NamedRun[]): string {
  const tasks = new Set(runs.map(({ record }) => `${record.model.name} on ${record.data.name}`));
  const [task = ''] = tasks;
  if (runs.length === 1) return task;
  return tasks.size === 1 ? `${task}: ${runs.length} runs` : `${runs.length} runs`;
}

function headerOf(title: string, runs: readonly NamedRun[], live: LiveNote | undefined): string {
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
${live === undefined ? runs.map(partialNote).join('') : liveNote(live, runs)}${engineNote(runs)}</header>`;
}

function runItem({ name, record }: NamedRun, at: number): string {
  return `<li><span class="swatch run${at % RUN_COLORS}"></span><strong>${escapeHtml(name)}</strong> ${escapeHtml(recipeOf(record))} · ${escapeHtml(record.engine.name)} · ${formatCount(record.steps.done)} steps</li>`;
}

/** The record of a running run says "partial", which is not to be shown. */
function liveNote({ isRunning, reportPath }: LiveNote, runs: readonly NamedRun[]): string {
  if (isRunning) return runs.map(({ record }) => runningNote(record)).join('');
  const end = reportPath === null ? '' : `, and the report is in ${reportPath}`;
  return `${runs.map(partialNote).join('')}<p class="live" role="note"><strong>The run has ended.</strong> ${escapeHtml(`This page keeps what it shows until it is closed${end}.`)}</p>`;
}

function runningNote({ steps: { done, planned }, wallMs }: RunRecord): string {
  const left =
    done === 0 ? '' : `, ${formatClock(((planned - done) * wallMs.training) / done / 1000)} left`;
  const now =
    done === planned
      ? `${formatCount(done)} steps done, testing.`
      : `${formatCount(done)} of ${formatCount(planned)} steps done${left}.`;
  return `<p class="live" role="note"><strong>Running.</strong> ${now}</p>`;
}

function partialNote({ name, record }: NamedRun, _: number, runs: readonly NamedRun[]): string {
  if (!record.partial) return '';
  const which = runs.length === 1 ? 'Partial run.' : `Partial run (${name}).`;
  return `<p class="partial" role="note"><strong>${escapeHtml(which)}</strong> ${escapeHtml(record.ended === RUNNING ? 'It had not ended when this page was made.' : record.ended)}</p>`;
}

function engineNote(runs: readonly NamedRun[]): string {
  const engines = [...new Set(runs.map(({ record }) => record.engine.name))];
  if (engines.length < 2) return '';
  return `<p class="partial" role="note"><strong>Different engines</strong> (${escapeHtml(engines.join(', '))}): memory and times of these runs cannot be compared.</p>`;
}
