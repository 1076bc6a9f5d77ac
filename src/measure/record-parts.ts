// Parts that records of benchmarks share, described once. Only whoever writes, reads or publishes a record loads
// this; the processes of cells need the types alone.

import { type Static, type TObject, type TProperties, type TUnsafe, Type } from 'typebox';

import { amount, count, type Described, list, nullable, object, text } from '../checks/schema.js';
import { MODEL_NAMES } from '../models/names.js';
import { FAILURES } from './process/failure.js';
import { BENCH_ENGINES } from './workloads/policies.js';

/** A whole number ≥ 1. */
export const positive = (description?: string) =>
  Type.Integer({ ...(description === undefined ? {} : { description }), minimum: 1 });

/** The same properties, each of them null where there is nothing. */
export function orNull<P extends TProperties>(
  properties: P,
): { [K in keyof P]: TUnsafe<Static<P[K]> | null> } {
  const nullables = Object.entries(properties).map(([name, schema]) => {
    const types = new Set([(schema as { type?: string | string[] }).type ?? [], 'null'].flat());
    return [name, Type.Unsafe({ ...schema, type: [...types] })];
  });
  return Object.fromEntries(nullables) as { [K in keyof P]: TUnsafe<Static<P[K]> | null> };
}

export const MACHINE = object({
  adapter: nullable(
    object({
      name: text(),
      software: Type.Boolean({
        description: 'The adapter computes on the CPU: bytes are exact, times mean nothing.',
      }),
      vendor: text(),
      architecture: text(),
      driver: text('With its version.'),
      maxBufferBytes: count(),
    }),
    'Of WebGPU; null for an engine without it.',
  ),
  engine: nullable(
    text(),
    'What computed, without WebGPU: a tfjs backend or TensorFlow, with its features; null: the adapter.',
  ),
  nvidia: Type.Unsafe<Record<string, string> | null>({
    description: 'Names and values that nvidia-smi reports; null without it.',
    type: ['object', 'null'],
    additionalProperties: { type: 'string' },
  }),
  cpu: text(),
  cores: count(),
  ramBytes: count(),
  platform: text(),
  versions: object({
    node: text(),
    tfjs: text(),
    webgpu: text('Of the package webgpu (Dawn for Node).'),
    slowlane: text(),
  }),
  commit: nullable(text(), 'Of the working tree, with -dirty if it had changes; null if unknown.'),
});
export type MachineRecord = Described<typeof MACHINE>;
export type AdapterRecord = NonNullable<MachineRecord['adapter']>;

export const FAILURE = nullable(object({ kind: Type.Enum(FAILURES), reason: text() }));

/** What a stack or a model trains on, in the options of a benchmark. */
export const WORKLOAD_OPTIONS = {
  engine: Type.Enum(BENCH_ENGINES, { description: 'Where it trained.' }),
  model: Type.Enum(['stack', ...MODEL_NAMES], {
    description:
      'What trained: the stack of dense layers, or a model of slowlane train, on one batch from a seed.',
  }),
  layers: nullable(positive(), 'Of the stack; null for another model.'),
  width: nullable(positive(), "Of the stack's layers; null for another model."),
  batch: positive(),
};

export const ADAPTER_OPTION = nullable(
  text(),
  "Part of the WebGPU adapter's name; null: the fast one, or no WebGPU.",
);

export const POLICIES_OPTION = list(text(), 'In the order of the cells.');

/** The options of a benchmark that trains policy by policy; `steps` describes them. */
export const policyOptions = (steps?: string) => ({
  ...WORKLOAD_OPTIONS,
  steps: positive(steps),
  syncPeriod: positive(),
  cellTimeoutMs: positive(),
  policies: POLICIES_OPTION,
  adapter: ADAPTER_OPTION,
});

export type CellOptions = Described<TObject<ReturnType<typeof policyOptions>>>;

export const STATUS = Type.Enum(['done', 'failed', 'stopped']);
export const WALL_MS = amount('Of the whole process.');

export const PEAK_BYTES = {
  logicalBytes: count(
    "tfjs's own count (tf.memory): every live tensor; pools and staging buffers are not included.",
  ),
  allocatorBytes: nullable(
    count(),
    'All buffers on the device, free ones and those for transfers included; null without WebGPU.',
  ),
  hostBytes: count(
    "Slow weights and offloaded moments in host memory, and the buffers that they pass through; without WebGPU the slow weights of slowlane's Lookahead and its staging buffers, which no other meter counts.",
  ),
  peakRssBytes: count(
    'Highest resident memory of the whole process, with Node, TensorFlow.js and the driver.',
  ),
};
export type PeakBytes = Described<TObject<typeof PEAK_BYTES>>;

export const BYTES_PER_PARAMETER = {
  allocatorBytesPerParameter: amount('Null without WebGPU, as allocatorBytes.'),
  logicalBytesPerParameter: amount(
    "By tfjs's own count: it cannot be compared with an allocator's.",
  ),
};

const bytes = () => nullable(Type.Integer());

export const DRIVER_BYTES = (description: string) =>
  object(
    {
      source: Type.Enum(['process', 'gpu', 'unknown'], {
        description:
          "process: of the cell's process; gpu: rise of the whole GPU above what it was before.",
      }),
      baselineBytes: bytes(),
      peakBytes: bytes(),
      byPhase: Type.Unsafe<Partial<Record<Phase, number>>>({
        type: 'object',
        additionalProperties: { type: 'integer' },
      }),
      samples: count(),
    },
    description,
  );
export type DriverBytes = Described<ReturnType<typeof DRIVER_BYTES>>;

/** What a cell is doing. Uploading the first weights is not training. */
export type Phase = 'set-up' | 'warm-up' | 'awaited' | 'training';

export const spread = (description?: string) =>
  object(
    {
      count: positive(),
      mean: amount(),
      median: amount(),
      p95: amount(),
      min: amount(),
      max: amount(),
    },
    description,
  );
export type Spread = Described<ReturnType<typeof spread>>;

const SYNC_PARTS = {
  total: amount('The whole sync; check to push are parts of it.'),
  check: amount('Looking for weights that are not finite, and waiting for steps in flight.'),
  wait: amount('For slow weights on their way from the previous sync.'),
  pull: amount(),
  blend: amount('Recording it, where the device blends.'),
  push: amount(),
  readback: amount(
    'Copying slow weights back into place on the host, between the previous sync and this one; not in total.',
  ),
};
export type SyncPart = keyof typeof SYNC_PARTS;

export const SYNC_COST = object(
  { ...SYNC_PARTS, bytesPulled: count(), bytesPushed: count() },
  'One sync: milliseconds of the main thread, and bytes over the bus.',
);
export type SyncCost = Described<typeof SYNC_COST>;

export const SYNC_SPREADS = object(
  Object.fromEntries(Object.keys(SYNC_PARTS).map((part) => [part, nullable(spread())])) as Record<
    SyncPart,
    TUnsafe<Spread | null>
  >,
  'Over all measured syncs.',
);
export type SyncSpreads = Described<typeof SYNC_SPREADS>;
