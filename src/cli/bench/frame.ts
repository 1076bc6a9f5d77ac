// The frame that records of all benchmarks share.

import { type Static, type TObject, Type } from 'typebox';

import { list, text } from '../../checks/schema.js';
import { MACHINE } from '../../measure/record-parts.js';

export const SCHEMA = 'slowlane-bench';
/** Rises when the layout changes in a way that readers must know of. */
export const SCHEMA_VERSION = 1;

export const FRAME = {
  schema: Type.Literal(SCHEMA),
  schemaVersion: Type.Literal(SCHEMA_VERSION),
  bench: Type.Enum(['fit', 'memory', 'speed', 'sync'], {
    description: 'Which benchmark: decides what options and cells are.',
  }),
  startedAt: text('ISO 8601.'),
  endedAt: text('ISO 8601; of the last write while it runs.'),
  isPartial: Type.Boolean({
    description: 'True while it runs, and if it was stopped before its end.',
  }),
  ended: text('done, running, or why it stopped.'),
  command: list(text(), 'Arguments as they were given.'),
  machine: MACHINE,
  options: Type.Unsafe<object>({
    description: 'Every option with its value, defaults included.',
    type: 'object',
  }),
  cells: Type.Unsafe<readonly object[]>({ type: 'array' }),
};

type Frame = Static<TObject<typeof FRAME>>;

export type BenchName = Frame['bench'];

export interface BenchRecord<
  Name extends BenchName = BenchName,
  Options = object,
  Cell = object,
> extends Readonly<Omit<Frame, 'bench' | 'command' | 'options' | 'cells'>> {
  readonly bench: Name;
  readonly command: readonly string[];
  readonly options: Options;
  readonly cells: readonly Cell[];
}
