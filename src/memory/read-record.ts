// Reads run.json, of this version or an older one, or says what is wrong with it and where.

import { SlowlaneError } from '../errors.js';
import { shown } from '../options.js';
import { RUN_RECORD_VERSION, type RunRecord } from './run-record.js';

/** What a value must be; `?` allows null. */
type Shape =
  | 'number'
  | 'number?'
  | 'string'
  | 'boolean'
  | 'any'
  | readonly [Shape]
  | { readonly [name: string]: Shape }
  | { readonly orNull: Shape };

const MOVES: Shape = {
  start: ['number'],
  step: ['number'],
  phase: ['number'],
  from: ['number'],
  to: ['number'],
  bytes: ['number'],
};

/** What the report reads. */
const SHAPE: Readonly<Record<string, Shape>> = {
  toolVersion: 'string',
  partial: 'boolean',
  ended: 'string',
  startedAt: 'string',
  command: ['string'],
  options: 'any',
  engine: { name: 'string', note: 'string' },
  node: 'string',
  platform: { system: 'string', cpu: 'string', cores: 'number', memoryBytes: 'number' },
  data: { name: 'string', testNote: 'string' },
  model: { name: 'string', description: 'string', parameters: 'number' },
  steps: { planned: 'number', done: 'number' },
  wallMs: { training: 'number', total: 'number' },
  losses: [{ step: 'number', loss: 'number?' }],
  evaluations: [{ weights: 'string', loss: 'number?', accuracy: 'number' }],
  validation: { step: ['number'], fast: ['number?'], slow: ['number?'] },
  memory: {
    weightBytes: 'number',
    deviceBytes: 'number',
    host: { orNull: { slowBytes: 'number', stagingBytes: 'number' } },
  },
  sync: {
    orNull: {
      syncs: 'number',
      totalMs: 'number',
      pullMs: 'number',
      blendMs: 'number',
      pushMs: 'number',
      checkMs: 'number',
      bytesPulled: 'number',
      bytesPushed: 'number',
      workers: 'string',
    },
  },
  stepTimes: {
    orNull: {
      stepsPerRow: 'number',
      stepsInLastRow: 'number',
      ms: ['number'],
      slowestMs: ['number'],
      syncs: ['number'],
      syncMs: ['number'],
      syncPhases: 'any',
    },
  },
  timeline: {
    orNull: {
      version: 'number',
      source: 'string',
      categories: ['string'],
      phases: ['string'],
      places: ['string'],
      budgetBytes: 'number?',
      moves: 'number',
      peak: { step: 'number', phase: 'number', bytes: ['number'] },
      steps: {
        stepsPerRow: 'number',
        step: ['number'],
        begin: [['number']],
        peak: [['number']],
        peakPhase: ['number'],
        peakStep: ['number'],
      },
      first: MOVES,
      last: { orNull: MOVES },
    },
  },
};

/** Throws DATA where `text` is no record of a run, one of a newer version, or damaged. */
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
  const problem = problemOf(record, SHAPE, '') ?? unevenColumns(record as RunRecord);
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

/** What is wrong with `value`, and where; null if nothing is. */
function problemOf(value: unknown, shape: Shape, where: string): string | null {
  if (shape === 'any')
    return typeof value === 'object' && value !== null ? null : wrong(value, where, 'an object');
  if (typeof shape === 'string') {
    const type = shape.replace('?', '');
    const isFit = typeof value === type || (shape.endsWith('?') && value === null);
    return isFit ? null : wrong(value, where, `a ${type}`);
  }
  if (Array.isArray(shape)) {
    if (!Array.isArray(value)) return wrong(value, where, 'a list');
    for (const [at, one] of value.entries()) {
      const problem = problemOf(one, shape[0] as Shape, `${where}[${at}]`);
      if (problem !== null) return problem;
    }
    return null;
  }
  if ('orNull' in shape) {
    return value === null ? null : problemOf(value, (shape as { orNull: Shape }).orNull, where);
  }
  if (typeof value !== 'object' || value === null) return wrong(value, where, 'an object');
  for (const [name, inside] of Object.entries(shape)) {
    const at = where === '' ? name : `${where}.${name}`;
    const problem = problemOf((value as Record<string, unknown>)[name], inside, at);
    if (problem !== null) return problem;
  }
  return null;
}

function wrong(value: unknown, where: string, expected: string): string {
  return `${where} must be ${expected}, got ${shown(value)}`;
}

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
