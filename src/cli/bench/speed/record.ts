// What `bench speed` measures, as it is written. Raw times first; the others are made from them.

import { type TObject, Type } from 'typebox';

import { count, type Described, list, nullable, object, text } from '../../../checks/schema.js';
import {
  BYTES_PER_PARAMETER,
  DRIVER_BYTES,
  FAILURE,
  orNull,
  PEAK_BYTES,
  policyOptions,
  positive,
  spread,
  STATUS,
  SYNC_COST,
  SYNC_SPREADS,
  WALL_MS,
} from '../../../measure/record-parts.js';
import { HOST_FORMATS } from '../../../measure/workloads/policies.js';
import type { BenchRecord } from '../frame.js';

export const SPEED_OPTIONS = object({
  ...policyOptions('Of one repeat; a multiple of syncPeriod.'),
  repeats: positive(),
  slow: Type.Enum(HOST_FORMATS, {
    description: "Format of the slow weights of slowlane's Lookahead.",
  }),
});
export type SpeedOptions = Described<typeof SPEED_OPTIONS>;

const SPEED_TIMES = {
  parameters: count(),
  stepTimesMs: list(
    list(Type.Number()),
    'A list for each repeat, each step waited for; every syncPeriod-th is a sync step.',
  ),
  syncs: nullable(
    list(SYNC_COST),
    "Each measured sync, in their order; null without slowlane's Lookahead.",
  ),
  ...PEAK_BYTES,
};
export type SpeedTimes = Described<TObject<typeof SPEED_TIMES>>;

export const SPEED_CELL = object(
  {
    policy: text(),
    status: STATUS,
    wallMs: WALL_MS,
    ...orNull(SPEED_TIMES),
    ...orNull({
      cycleMs: spread('Mean step of each repeat, over whole cycles: the long-run cost of a step.'),
      stepMs: spread('Steps that end no cycle; null where each step ends one.'),
      syncStepMs: spread('Steps that end a cycle, with the sync where there is Lookahead.'),
      syncMs: { ...SYNC_SPREADS, description: "Of syncs; null without slowlane's Lookahead." },
    }),
    ...orNull(BYTES_PER_PARAMETER),
    driver: DRIVER_BYTES('Until times are taken: a question to the driver would be in them.'),
    failure: FAILURE,
  },
  'Null if it did not end well. Times mean nothing on a software adapter.',
);
export type SpeedCell = Described<typeof SPEED_CELL>;
export type SpeedRecord = BenchRecord<'speed', SpeedOptions, SpeedCell>;
