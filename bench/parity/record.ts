// What bench/moments-parity.ts writes; docs/parity-record.schema.json describes it.

import { problemOf } from '../../src/records/json-schema.js';
import { publishedSchema } from '../../src/records/published-schema.js';
import { type Comparison, DEMANDED } from './comparison.js';
import type { Condition, Contender } from './conditions.js';

export interface ParityRecord {
  readonly schema: 'slowlane-parity';
  /** Rises when the layout changes in a way that readers must know of. */
  readonly schemaVersion: 1;
  readonly demanded: typeof DEMANDED;
  readonly judged: readonly Judged[];
}

/** One condition. */
export interface Judged {
  readonly machine: Machine;
  readonly condition: Condition;
  readonly testLosses: BySeed;
  readonly testAccuracies: BySeed;
  readonly seconds: BySeed;
  readonly control: Comparison;
  readonly q8: Comparison;
  readonly fulfilled: boolean;
}

export interface Machine {
  readonly cpu: string;
  readonly node: string;
  readonly tfjs: string;
  readonly backend: 'wasm';
  readonly commit: string | null;
  readonly startedAt: string;
}

type BySeed = Readonly<Record<Contender, readonly number[]>>;

/** Throws if `text` is no record of this benchmark, of this version. */
export function readParityRecord(text: string): ParityRecord {
  const value: unknown = JSON.parse(text);
  const problem = problemOf(value, publishedSchema('parity-record'));
  if (problem !== null) throw new Error(`This is no record of this benchmark: ${problem}.`);
  return value as ParityRecord;
}

/** `before` with `found` for what it has of that condition. */
export function withCondition(before: ParityRecord | null, found: Judged): ParityRecord {
  const others = (before?.judged ?? []).filter(
    ({ condition }) => condition.name !== found.condition.name,
  );
  return {
    schema: 'slowlane-parity',
    schemaVersion: 1,
    demanded: DEMANDED,
    judged: [...others, found],
  };
}
