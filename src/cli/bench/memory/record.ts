// What `bench memory` measures, as it is written.

import { type TObject, Type } from 'typebox';

import { count, type Described, list, nullable, object, text } from '../../../checks/schema.js';
import {
  BYTES_PER_PARAMETER,
  DRIVER_BYTES,
  FAILURE,
  orNull,
  PEAK_BYTES,
  policyOptions,
  STATUS,
  WALL_MS,
} from '../../../measure/record-parts.js';
import type { BenchRecord } from '../frame.js';

export const MEMORY_OPTIONS = object(policyOptions());
export type MemoryOptions = Described<typeof MEMORY_OPTIONS>;

const breakdown = (description: string) =>
  nullable(
    object({
      weights: count(),
      gradients: count(),
      moments: count(),
      staging: count(),
      activations: count(),
      pool: count('Free buffers.'),
    }),
    description,
  );

/** What the process of a cell counts; the parent asks the driver. */
const MEMORY_COUNTS = {
  parameters: count(),
  ...PEAK_BYTES,
  atPeak: breakdown(
    "What the buffers were for when allocatorBytes was reached, which it adds up to; null for tfjs's backends and TensorFlow.",
  ),
  highest: breakdown(
    "The most for each purpose during training, each at a time of its own; null for tfjs's backends and TensorFlow.",
  ),
  losses: list(Type.Number(), 'Before each step.'),
};
export type MemoryCounts = Described<TObject<typeof MEMORY_COUNTS>>;

export const MEMORY_CELL = object(
  {
    policy: text(),
    status: STATUS,
    wallMs: WALL_MS,
    ...orNull(MEMORY_COUNTS),
    ...orNull(BYTES_PER_PARAMETER),
    driver: DRIVER_BYTES(
      'Used memory as nvidia-smi reports it, read from outside while the cell runs.',
    ),
    failure: FAILURE,
  },
  'Highest counts of the whole run; null if it did not end well.',
);
export type MemoryCell = Described<typeof MEMORY_CELL>;
export type MemoryRecord = BenchRecord<'memory', MemoryOptions, MemoryCell>;
