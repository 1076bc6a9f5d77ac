// What `bench sync` measures, as it is written. Raw times first; the others are made from them.
//
// One cell for each place of slow weights, in its own process: warm-up cycles, then `repeats` cycles of `syncPeriod`
// steps. Each step is waited for, so that the device is idle when the sync begins. Afterwards, where slow weights are
// on the host and the engine is WebGPU's, the bus alone: as many rounds, of pieces of the sizes that the sync moved,
// up and down, by the device's own copies. Both move the same bytes, so the share of the bus is the ratio of times.

import { type TObject, Type } from 'typebox';

import { amount, count, type Described, list, nullable, object } from '../../../checks/schema.js';
import {
  ADAPTER_OPTION,
  FAILURE,
  orNull,
  positive,
  spread,
  STATUS,
  SYNC_COST,
  SYNC_SPREADS,
  WALL_MS,
  WORKLOAD_OPTIONS,
} from '../../../measure/record-parts.js';
import { SLOW_PLACES } from '../../../measure/workloads/policies.js';
import type { BenchRecord } from '../frame.js';

const SLOW_PLACE = Type.Enum(SLOW_PLACES, {
  description:
    "host: in host memory, in this format; device:f32: slowlane's tensors on the device; variables: on the device in plain ops, without slowlane's Lookahead.",
});

export const SYNC_OPTIONS = object({
  ...WORKLOAD_OPTIONS,
  syncPeriod: positive(),
  repeats: Type.Integer({
    description: 'Measured syncs of a cell, and rounds of the bus.',
    minimum: 5,
  }),
  slow: list(SLOW_PLACE, 'In the order of the cells.'),
  cellTimeoutMs: positive(),
  adapter: ADAPTER_OPTION,
});
export type SyncOptions = Described<typeof SYNC_OPTIONS>;

const times = (description?: string) => list(Type.Number(), description);

const BUS_TIMES = object({
  pieces: positive(),
  pieceBytes: positive('Of the largest.'),
  firstMs: amount('Not in roundMs: it includes page faults.'),
  roundMs: times(),
});
export type BusTimes = Described<typeof BUS_TIMES>;

const SYNC_TIMES = object(
  {
    callMs: times('Of the call, until it returns.'),
    doneMs: times('From the same moment until the device has finished.'),
    costs: nullable(list(SYNC_COST), "Null without slowlane's Lookahead."),
  },
  'A value for each measured sync, in their order.',
);

const SYNC_MEASURED = {
  parameters: count(),
  bytes: count(
    'Copied in a sync: up and down, on WebGPU with the padding that aligns the pieces. 0 where slow weights are on the device.',
  ),
  warmUpMs: times('Syncs before the measured ones, until done: pipelines and page faults.'),
  times: SYNC_TIMES,
  bus: nullable(
    BUS_TIMES,
    "The same bytes in the same pieces, up and down by the device's own copies alone, each round from an idle device, in the same process after the syncs; null where nothing goes over the bus, and without WebGPU, where nothing measures it.",
  ),
};
export type SyncMeasured = Described<TObject<typeof SYNC_MEASURED>>;

export const SYNC_CELL = object(
  {
    slow: SLOW_PLACE,
    status: STATUS,
    wallMs: WALL_MS,
    ...orNull(SYNC_MEASURED),
    ...orNull({
      callMs: spread('Of times.callMs.'),
      doneMs: spread('Of times.doneMs.'),
      partsMs: { ...SYNC_SPREADS, description: 'Of times.costs.' },
      bytesPerSecond: amount('bytes over the median of doneMs; null where nothing is copied.'),
      busBytesPerSecond: amount('bytes over the median round of the bus.'),
      shareOfBus: amount(
        'bytesPerSecond over busBytesPerSecond: 1 is a sync that takes no longer than its copies.',
      ),
    }),
    failure: FAILURE,
  },
  'Syncs alone, each from an idle device. Null if it did not end well. Times mean nothing on a software adapter.',
);
export type SyncCell = Described<typeof SYNC_CELL>;
export type SyncRecord = BenchRecord<'sync', SyncOptions, SyncCell>;
