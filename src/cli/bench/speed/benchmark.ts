// `slowlane bench speed`: the time of steps, of steps with a sync, and of the parts of syncs; and memory.

import { perParameter } from '../../../measure/meters/meters.js';
import { spreadOf } from '../../../measure/times/statistics.js';
import { spreadsOfSyncs } from '../../../measure/times/timed-syncs.js';
import { spreadsOf } from '../../../measure/times/timed-steps.js';
import { formatBytes, formatMs } from '../../../checks/quantities.js';
import { cellBenchmark } from '../cell-benchmark.js';
import { bytesPerParameterColumn, metersSheet } from '../meters-text.js';
import { syncPartsSheet } from '../sync-parts.js';
import { msText, NONE, sheetOf, spreadColumns, workloadOf } from '../sheet.js';
import { SPEED_CELL, type SpeedCell, type SpeedOptions } from './record.js';

export const SPEED = cellBenchmark<'speed', 'policy', SpeedOptions, SpeedCell>({
  name: 'speed',
  key: 'policy',
  schema: SPEED_CELL,
  namesOf: ({ policies }) => policies,
  requestOf: (options, policy) => ({ ...options, policy }),
  askDriverUntil: 'awaited',
  derive: (times, { syncPeriod }) => ({
    cycleMs: spreadOf(times.stepTimesMs.map((repeat) => spreadOf(repeat)?.mean ?? NaN)),
    ...spreadsOf(times.stepTimesMs, syncPeriod),
    syncMs: spreadsOfSyncs(times.syncs),
    ...perParameter(times),
  }),
  wordsOf: ({ cycleMs }) => `${formatMs(cycleMs?.median ?? NaN)} a step`,
  title(record) {
    const { steps, repeats, syncPeriod, slow } = record.options;
    return (
      `${workloadOf(record)}, ` +
      `${repeats} repeats of ${steps} steps of Adam, Lookahead with a sync every ${syncPeriod} steps, ` +
      `slowlane's with slow weights in ${slow}.`
    );
  },
  sheets: (record) => [
    sheetOf(
      'A step, ms:',
      record.cells,
      [
        ['policy', ({ policy }) => policy],
        bytesPerParameterColumn(record.options),
        ['mean', ({ cycleMs }) => msText(cycleMs?.median)],
        ['of repeats', rangeOfRepeats],
        ...spreadColumns<SpeedCell>('step', ({ stepMs }) => stepMs),
      ],
      [
        'mean: over whole cycles, the median of the repeats (lowest … highest). step: p50 of steps without a sync. Each ' +
          'step is waited for.',
      ],
    ),
    sheetOf(
      'A step that ends a cycle, with the sync where there is Lookahead, ms:',
      record.cells,
      [
        ['policy', ({ policy }) => policy],
        ...spreadColumns<SpeedCell>('step', ({ syncStepMs }) => syncStepMs),
        ['copied', copiedBytes],
      ],
      ["copied: by slowlane's syncs, to the host and back together."],
    ),
    syncPartsSheet(record.cells.map(({ policy, syncMs }) => ({ name: policy, spreads: syncMs }))),
    metersSheet('Memory at most, in MiB, by each meter:', record, ' until times are taken'),
  ],
});

function rangeOfRepeats({ cycleMs }: SpeedCell): string {
  return cycleMs === null ? NONE : `${msText(cycleMs.min)}…${msText(cycleMs.max)}`;
}

function copiedBytes({ syncs }: SpeedCell): string {
  const [first] = syncs ?? [];
  return first === undefined ? NONE : formatBytes(first.bytesPulled + first.bytesPushed);
}
