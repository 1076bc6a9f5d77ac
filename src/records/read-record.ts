// Reads run.json of this version or an older one.

import { SlowlaneError } from '../checks/errors.js';
import { shown } from '../checks/check.js';
import { problemOf } from './json-schema.js';
import { RUN_RECORD, RUN_RECORD_VERSION, type RunRecord } from './run-record.js';

/** @throws SlowlaneError DATA if `text` is not a run record, has a newer version, or is damaged (with the place). */
export function readRunRecord(text: string): RunRecord {
  const value = parse(text);
  if (
    typeof value !== 'object' ||
    value === null ||
    !('tool' in value && value.tool === 'slowlane')
  ) {
    throw new SlowlaneError(
      'DATA',
      `This is no record of a run (the run.json that slowlane train writes).`,
    );
  }
  const { version } = value as { version?: unknown };
  if (version !== 1 && version !== RUN_RECORD_VERSION) {
    throw new SlowlaneError(
      'DATA',
      `This record has version ${shown(version)}; this slowlane reads 1 to ${RUN_RECORD_VERSION}. Use the one that wrote it, or a newer one.`,
    );
  }
  const record: unknown = version === 1 ? fromVersion1(value as unknown as RunRecord) : value;
  const problem =
    problemOf(record, RUN_RECORD) ??
    unevenColumns(record as RunRecord) ??
    unknownNames((record as RunRecord).timeline);
  if (problem !== null) throw new SlowlaneError('DATA', `This record is damaged: ${problem}.`);
  return record as RunRecord;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SlowlaneError('DATA', 'This is not JSON.', {}, { cause });
  }
}

function fromVersion1(record: RunRecord): RunRecord {
  const validation = { step: [], fast: [], slow: [] };
  return { ...record, version: RUN_RECORD_VERSION, validation, stepTimes: null, timeline: null };
}

/** A schema cannot compare the lengths of columns. */
function unevenColumns({ timeline, stepTimes, validation }: RunRecord): string | null {
  const groups: [string, readonly (readonly unknown[])[]][] = [
    ['validation', [validation.step, validation.fast, validation.slow]],
  ];
  if (stepTimes !== null) {
    const { ms, slowestMs, syncs, syncMs, syncPhases } = stepTimes;
    groups.push(['stepTimes', [ms, slowestMs, syncs, syncMs, ...Object.values(syncPhases)]]);
  }
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
