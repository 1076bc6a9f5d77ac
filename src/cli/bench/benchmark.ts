// A benchmark: options on the command line, a measurement, and tables of what it has measured.

import type { Option } from 'commander';

import type { MachineRecord } from '../../measure/record-parts.js';
import type { BenchName, BenchRecord } from './frame.js';
import type { Sheet } from './sheet.js';

/** A benchmark on the command line. What --help shows loads neither TensorFlow.js nor the record's schema. */
export interface BenchCommand {
  readonly description: string;
  readonly options: readonly Option[];
  /** Below the options: choices and examples. */
  readonly help: string;
  /** Options as the record has them. Throws a UsageError where they don't go together. */
  check(raw: unknown): object;
  load(): Promise<Benchmark>;
}

export interface Benchmark<Name extends BenchName = BenchName, Options = object, Cell = object> {
  readonly name: Name;
  /** One cell after the other, until `signal` is aborted. */
  measure(options: Options, signal: AbortSignal, machine: MachineRecord): AsyncIterable<Cell>;
  /** False for a cell that would be nothing but its end. */
  saysAnything(cell: Cell): boolean;
  hasFailed(cell: Cell): boolean;
  /** What was measured, in a sentence. */
  title(record: BenchRecord<Name, Options, Cell>): string;
  sheets(record: BenchRecord<Name, Options, Cell>): readonly Sheet[];
  /** Why rows have no numbers, or not the whole truth. */
  notes(record: BenchRecord<Name, Options, Cell>): readonly string[];
}
