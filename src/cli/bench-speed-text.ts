// What `bench speed` has measured, for the terminal: steps, sync steps, and where the time of syncs goes.

import type { SpeedCell, SpeedRecord } from '../bench/speed/speed-record.js';
import { formatBytes } from '../memory/quantities.js';
import { headOf, NONE, tableText, workloadOf } from './bench-table.js';
import { wrapped } from './wrapped.js';

const STEPS = ['policy', 'mean', 'of repeats', 'step', 'p95', 'max', 'sync', 'p95', 'max'];
const SYNCS = ['policy', 'sync', 'check', 'wait', 'pull', 'blend', 'push', 'bytes'];

/** Tables, or plain lines where a terminal has too few `columns` for them. */
export function speedText(record: SpeedRecord, columns = Infinity): string {
  const { cells } = record;
  const syncing = cells.filter(({ sync }) => sync !== null && sync.syncs > 0);
  const text = (lines: readonly string[]) => lines.map((line) => wrapped(line, columns));
  return [
    ...text([...headOf(record), whatOf(record), '', 'A step, ms:']),
    ...tableText(STEPS, cells.map(stepsOf), columns),
    ...text([
      'mean: over whole cycles, the median of the repeats (lowest … highest). step: p50 of steps without a sync; ' +
        'sync: of those that end a cycle, with the sync where there is Lookahead. Each is waited for.',
    ]),
    ...(syncing.length === 0 ? [] : text(['', 'A sync on the main thread, ms:'])),
    ...tableText(SYNCS, syncing.map(syncsOf), columns),
    ...(syncing.length === 0
      ? []
      : text(['bytes: pulled from the device and pushed to it, together.'])),
    ...text(failuresOf(record)),
  ].join('\n');
}

function whatOf(record: SpeedRecord): string {
  const { steps, repeats, syncPeriod } = record.options;
  return (
    `${workloadOf(record)}, ` +
    `${repeats} repeats of ${steps} steps of Adam, Lookahead with a sync every ${syncPeriod} steps.`
  );
}

function stepsOf({ policy, cycleMs, stepMs, syncStepMs }: SpeedCell): string[] {
  const of = (spread: typeof stepMs) => [ms(spread?.median), ms(spread?.p95), ms(spread?.max)];
  const range = cycleMs === null ? NONE : `${ms(cycleMs.min)}…${ms(cycleMs.max)}`;
  return [policy, ms(cycleMs?.median), range, ...of(stepMs), ...of(syncStepMs)];
}

function syncsOf({ policy, sync }: SpeedCell): string[] {
  if (sync === null) return [policy];
  const { syncs, total, check, wait, pull, blend, push, bytesPulled, bytesPushed } = sync;
  const parts = [total, check, wait, pull, blend, push].map((sum) => ms(sum / syncs));
  return [policy, ...parts, formatBytes((bytesPulled + bytesPushed) / syncs)];
}

function failuresOf({ cells }: SpeedRecord): string[] {
  return cells.flatMap(({ policy, failure }) =>
    failure === null ? [] : [`${policy}: ${failure.kind}: ${failure.reason}`],
  );
}

function ms(value: number | undefined): string {
  return value === undefined ? NONE : value.toFixed(value < 100 ? 1 : 0);
}
