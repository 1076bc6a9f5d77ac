// What a run on a GPU has to show, each with its numbers: yes, no, or unknown.

import type { MemoryCell } from '../../src/cli/bench/memory/record.js';
import type { SpeedCell } from '../../src/cli/bench/speed/record.js';
import type { Records, Verdict } from './record.js';

const MOST_BYTES_PER_PARAMETER = 12.8;
const MOST_OF_BUS = 1.3;
const MOST_LOSS_DIFFERENCE = 1e-4;

/** The same optimizer, by slowlane and by tfjs. */
const SAME_LOSSES = [
  ['release-adam', 'tfjs-adam'],
  ['release+device:f32', 'tfjs-adam-lookahead'],
] as const;

export function verdictsOf(records: Records): Verdict[] {
  return [bytesByDriver(records), syncAgainstBus(records), losses(records)];
}

function bytesByDriver({ memory, speed }: Records): Verdict {
  const slow = speed?.options.slow ?? 'host:f16';
  const measured = [
    ['release-adam', bytesPerParameter(cellOf(memory, 'release-adam'))],
    ['release+device:f32', bytesPerParameter(cellOf(memory, 'release+device:f32'))],
    [`release+device:f32 with ${slow}`, bytesPerParameter(cellOf(speed, 'release+device:f32'))],
  ] as const;
  const values = measured.map(([, bytes]) => bytes);
  return {
    question: `With gradients released, the driver counts at most ${MOST_BYTES_PER_PARAMETER} B per parameter`,
    answer: answerOf(values, MOST_BYTES_PER_PARAMETER),
    numbers: measured.map(([name, bytes]) => `${name} ${shown(bytes)}`).join(', '),
  };
}

function bytesPerParameter(cell: MemoryCell | SpeedCell | undefined): number {
  const bytes = cell?.driver.peakBytes ?? NaN;
  return bytes / (cell?.parameters ?? NaN);
}

/** Not on a software adapter: it has no bus. */
function syncAgainstBus({ sync }: Records): Verdict {
  const share = sync?.cells.find(({ slow }) => slow === 'host:f16')?.shareOfBus ?? NaN;
  const times = sync?.machine.adapter?.software === false ? 1 / share : NaN;
  return {
    question: `A sync in fp16 takes at most ${MOST_OF_BUS} × the time of its copies alone`,
    answer: answerOf([times], MOST_OF_BUS),
    numbers: shown(times, (x) => `${x.toFixed(2)} ×`),
  };
}

function losses({ memory }: Records): Verdict {
  const measured = SAME_LOSSES.map(([ours, theirs]) => ({
    ours,
    difference: largestDifference(cellOf(memory, ours)?.losses, cellOf(memory, theirs)?.losses),
  }));
  return {
    question: `The losses differ from those of tfjs's Adam by at most ${MOST_LOSS_DIFFERENCE} of them`,
    answer: answerOf(
      measured.map(({ difference }) => difference),
      MOST_LOSS_DIFFERENCE,
    ),
    numbers: measured
      .map(({ ours, difference }) => `${ours} ${shown(difference, (x) => x.toExponential(1))}`)
      .join(', '),
  };
}

/** Relative; NaN where there is nothing to compare with. */
function largestDifference(
  ours: readonly number[] | null = null,
  theirs: readonly number[] | null = null,
): number {
  if (ours === null || theirs === null || ours.length === 0) return NaN;
  return Math.max(...ours.map((loss, i) => Math.abs(loss / (theirs[i] ?? NaN) - 1)));
}

/** One value too large is a no, whatever is unknown beside it. */
function answerOf(values: readonly number[], most: number): Verdict['answer'] {
  if (values.some((value) => value > most)) return 'no';
  return values.some(Number.isNaN) ? 'unknown' : 'yes';
}

function shown(value: number, format = (x: number) => x.toFixed(2)): string {
  return Number.isNaN(value) ? 'unknown' : format(value);
}

function cellOf<Cell extends { readonly policy: string }>(
  record: { readonly cells: readonly Cell[] } | null,
  name: string,
): Cell | undefined {
  return record?.cells.find(({ policy }) => policy === name);
}
