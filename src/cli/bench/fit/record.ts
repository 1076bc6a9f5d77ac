// What `bench fit` measures, as it is written.

import { type TObject, Type } from 'typebox';

import {
  amount,
  count,
  type Described,
  list,
  nullable,
  object,
  text,
} from '../../../checks/schema.js';
import {
  ADAPTER_OPTION,
  FAILURE,
  orNull,
  POLICIES_OPTION,
  positive,
  WALL_MS,
} from '../../../measure/record-parts.js';
import type { BenchRecord } from '../frame.js';

export const FIT_OPTIONS = object({
  vramBytes: positive('The hard budget.'),
  width: positive(),
  batch: positive(),
  steps: positive('Of one try.'),
  syncPeriod: positive(),
  maxLayers: positive(),
  tryTimeoutMs: positive(),
  policies: POLICIES_OPTION,
  adapter: ADAPTER_OPTION,
});
export type FitOptions = Described<typeof FIT_OPTIONS>;

/** A stack that trained. */
const TRAINED = {
  peakBytes: count(
    'All buffers on the device, free ones and those for transfers included, of the largest stack.',
  ),
  hostBytes: count(
    'Host memory of slow weights and offloaded moments, and of the buffers that they pass through.',
  ),
  losses: list(Type.Number(), 'Before each step of the largest stack.'),
};
export type Trained = Described<TObject<typeof TRAINED>>;

const FIT_TRY = object({
  layers: positive(),
  outcome: Type.Enum(['fits', 'over budget', 'failed', 'stopped'], {
    description: 'Only over budget means that it does not fit.',
  }),
  wallMs: WALL_MS,
  peakBytes: nullable(count()),
  reason: nullable(text(), 'Why it did not fit, or failed.'),
});
export type FitTry = Described<typeof FIT_TRY>;

export const FIT_CELL = object({
  policy: text(),
  status: Type.Enum(['done', 'failed', 'stopped'], {
    description:
      'failed: a try ended in another way than by the budget; stopped: the run was interrupted.',
  }),
  layers: count('The most that trained; 0: none did.'),
  isLargest: Type.Boolean({
    description: 'One more layer was tried and is over the budget. False: at least so many fit.',
  }),
  parameters: count(),
  ...orNull(TRAINED),
  bytesPerParameter: nullable(amount()),
  estimate: nullable(count(), "Layers, by the planner; null for tfjs's own optimizer."),
  tries: list(FIT_TRY, 'In their order.'),
  failure: FAILURE,
});
export type FitCell = Described<typeof FIT_CELL>;
export type FitRecord = BenchRecord<'fit', FitOptions, FitCell>;
