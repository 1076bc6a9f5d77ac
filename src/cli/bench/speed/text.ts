// What `bench speed` has measured, for the terminal: steps, sync steps, where the time of syncs goes, and memory.

import type { SpeedCell, SpeedRecord } from './speed-record.js';
import { formatBytes } from '../../../checks/quantities.js';
import {
  bytesPerParameterHead,
  bytesPerParameterText,
  metersHead,
  metersLegend,
  metersOf,
} from '../meters-text.js';
import { PARTS_HEAD, PARTS_LEGEND, partsOf } from '../parts-text.js';
import { failuresOf, headOf, NONE, workloadOf } from '../table.js';
import { tableText } from '../../terminal/table.js';
import { msText } from '../bench-time-text.js';
import { wrapped } from '../../terminal/wrapped.js';

const STEPS = ['mean', 'of repeats', 'step', 'p95', 'max'];
const SYNC_STEPS = ['policy', 'step', 'p95', 'max', 'copied'];

/** Tables, or plain lines where a terminal has too few `columns` for them. */
export function speedText(record: SpeedRecord, columns = Infinity): string {
  const { cells } = record;
  const parts = cells.flatMap(({ policy, syncMs }) => partsOf(policy, syncMs));
  const text = (lines: readonly string[]) => lines.map((line) => wrapped(line, columns));
  return [
    ...text([...headOf(record), whatOf(record), '', 'A step, ms:']),
    ...tableText(stepsHead(record), cells.map(stepsOf), columns),
    ...text([
      'mean: over whole cycles, the median of the repeats (lowest … highest). step: p50 of steps without a sync. Each ' +
        'is waited for.',
      '',
      'A step that ends a cycle, with the sync where there is Lookahead, ms:',
    ]),
    ...tableText(SYNC_STEPS, cells.map(syncStepsOf), columns),
    ...text(["copied: by slowlane's syncs, to the host and back together."]),
    ...(parts.length === 0 ? [] : text(['', 'The main thread in a sync, ms:'])),
    ...tableText(PARTS_HEAD, parts, columns),
    ...(parts.length === 0 ? [] : text([PARTS_LEGEND])),
    ...text(['', 'Memory at most, in MiB, by each meter:']),
    ...tableText(metersHead(record.options), cells.map(metersOf), columns),
    ...text(metersLegend(record, ' until times are taken')),
    ...text(failuresOf(cells.map(({ policy, failure }) => ({ name: policy, failure })))),
  ].join('\n');
}

function whatOf(record: SpeedRecord): string {
  const { steps, repeats, syncPeriod, slow } = record.options;
  return (
    `${workloadOf(record)}, ` +
    `${repeats} repeats of ${steps} steps of Adam, Lookahead with a sync every ${syncPeriod} steps, ` +
    `slowlane's with slow weights in ${slow}.`
  );
}

function stepsHead({ options }: SpeedRecord): string[] {
  return ['policy', bytesPerParameterHead(options), ...STEPS];
}

function stepsOf(cell: SpeedCell): string[] {
  const { policy, cycleMs, stepMs } = cell;
  const range = cycleMs === null ? NONE : `${msText(cycleMs.min)}…${msText(cycleMs.max)}`;
  return [policy, bytesPerParameterText(cell), msText(cycleMs?.median), range, ...spreadOf(stepMs)];
}

function syncStepsOf({ policy, syncStepMs, syncs }: SpeedCell): string[] {
  const [first] = syncs ?? [];
  const bytes = first === undefined ? NONE : formatBytes(first.bytesPulled + first.bytesPushed);
  return [policy, ...spreadOf(syncStepMs), bytes];
}

function spreadOf(spread: SpeedCell['stepMs']): string[] {
  return [msText(spread?.median), msText(spread?.p95), msText(spread?.max)];
}
