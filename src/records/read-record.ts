// Reads run.json.

import { damaged, isRecord, readRecord, type RecordKind } from './record-kind.js';
import { RUN_RECORD, RUN_RECORD_VERSION, type RunRecord } from './run-record.js';

const RUN: RecordKind = {
  what: 'a run (the run.json that slowlane train writes)',
  schema: RUN_RECORD,
  mark: ['tool', 'slowlane'],
  version: ['version', RUN_RECORD_VERSION],
};

/** @throws SlowlaneError DATA if `text` is not a run record, has another version, or is damaged (with the place). */
export function readRunRecord(text: string): RunRecord {
  const record = readRecord(text, RUN) as RunRecord;
  const problem = unevenColumns(record) ?? unknownNames(record.timeline);
  if (problem !== null) throw damaged(problem);
  return record;
}

/** Whether `text` is a run record of any version, which a newer one may replace. */
export const isRunRecord = (text: string): boolean => isRecord(text, RUN);

/** A schema cannot compare the lengths of columns. */
function unevenColumns({ timeline, stepTimes, validation }: RunRecord): string | null {
  const { ms, slowestMs, syncs, syncMs, syncPhases } = stepTimes;
  const groups: [string, readonly (readonly unknown[])[]][] = [
    ['validation', [validation.step, validation.fast, validation.slow]],
    ['stepTimes', [ms, slowestMs, syncs, syncMs, ...Object.values(syncPhases)]],
  ];
  if (timeline !== null) {
    const { categories, steps, first, last } = timeline;
    const { step, begin, peak, peakPhase, peakStep } = steps;
    groups.push(['timeline.steps', [step, ...begin, ...peak, peakPhase, peakStep]]);
    groups.push([
      'timeline.categories',
      [categories, begin, peak, first.start, timeline.peak.bytes],
    ]);
    for (const moves of last === null ? [first] : [first, last]) {
      const { phase, from, to, bytes } = moves;
      groups.push(['timeline moves', [moves.step, phase, from, to, bytes]]);
    }
  }
  for (const [name, columns] of groups) {
    if (columns.some((column) => column.length !== columns[0]?.length))
      return `the columns of ${name} differ in length`;
  }
  return null;
}

/** Places and phases of a timeline are indices in lists of names. */
function unknownNames(timeline: RunRecord['timeline']): string | null {
  if (timeline === null) return null;
  const { phases, places, peak, steps, first, last } = timeline;
  const moves = last === null ? [first] : [first, last];
  const isIn = (names: readonly string[]) => (at: number) => at < names.length;
  const isKnown =
    [[peak.phase], steps.peakPhase, ...moves.map(({ phase }) => phase)].every((all) =>
      all.every(isIn(phases)),
    ) && moves.every(({ from, to }) => [...from, ...to].every(isIn(places)));
  return isKnown ? null : 'its timeline has places or phases without a name';
}
