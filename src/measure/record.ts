// The record of a `slowlane bench …`: the frame that all of them share. docs/bench-record.schema.json describes
// it, and is what a record is checked against when it is read (read-record.ts).

import type { MachineRecord } from './machine.js';

export const SCHEMA = 'slowlane-bench';
/** Rises when the layout changes in a way that readers must know of. */
export const SCHEMA_VERSION = 1;

export interface BenchRecord<Name extends string = string, Options = unknown, Cell = unknown> {
  readonly schema: typeof SCHEMA;
  readonly schemaVersion: typeof SCHEMA_VERSION;
  readonly bench: Name;
  readonly startedAt: string;
  readonly endedAt: string;
  /** True while it runs, and if it was stopped before its end. */
  readonly isPartial: boolean;
  /** `'done'`, `'running'`, or why it stopped. */
  readonly ended: string;
  /** Arguments as they were given. */
  readonly command: readonly string[];
  readonly machine: MachineRecord;
  /** Every option with its value, defaults too. */
  readonly options: Options;
  readonly cells: readonly Cell[];
}

/** Whether `text` is a record of a benchmark, of any version: such a file may be replaced by a newer one. */
export function isBenchRecord(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return (
      typeof value === 'object' && value !== null && 'schema' in value && value.schema === SCHEMA
    );
  } catch {
    return false;
  }
}
