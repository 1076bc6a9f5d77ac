/**
 * Lookahead, inner optimizers, planner, meter and saving, for any backend of TensorFlow.js.
 *
 * @module slowlane
 */

export { describePlan } from './plan/describe.js';
export {
  SlowlaneError,
  type SlowlaneErrorCode,
  type SlowlaneErrorDetails,
} from './checks/errors.js';
export type { Breakdown, Category, Phase, Place } from './engine/categories.js';
export type { MeterSourceKind } from './engine/meter-source.js';
export { type Meter, meter, type MeterOptions } from './meter/meter.js';
export type { TimelineData } from './meter/timeline-data.js';
export type { MeterEvent } from './meter/timeline.js';
export type { FitCallback, FitCallbacks, GivenCallback } from './tfjs/fit-callback.js';
export { Lookahead, lookahead } from './lookahead/lookahead.js';
export type { InnerState, LookaheadOptions, NonFinitePolicy } from './lookahead/options.js';
export type { SlowWeight } from './lookahead/weights/kept.js';
export type { WeightOverride } from './lookahead/weights/weight-overrides.js';
export type { LayersModelLike } from './lookahead/layers-model.js';
export type { LookaheadStats, SyncTimes } from './lookahead/stats.js';
export type { Plan, PlannedPolicy } from './plan/make-plan.js';
export type { PlannableModel } from './plan/model.js';
export type { DescribedOverride, PlanOverride } from './plan/overrides.js';
export type { Policy } from './plan/policies.js';
export type { BusBytes, Chunks, DeviceBytes, HostBytes } from './plan/policy-bytes.js';
export type { Remedy, Shortfall } from './plan/shortfall.js';
export type { PlanWeights } from './plan/weights.js';
export type { NamedTensor } from './tfjs/named-tensor.js';
export { checkpoint } from './autograd/checkpoint.js';
export * from './optimizers/index.js';
export { plan, type PlanOptions } from './plan/plan.js';
export type { SlowFormat } from './slow/slow-format.js';
export type { WeightMatcher } from './checks/weight-matcher.js';
export {
  loadTraining,
  type SavableModel,
  type SavableOptimizer,
  saveTraining,
} from './snapshot/training-state.js';
export {
  adaptive,
  type AdaptiveOptions,
  type AdaptiveStepSize,
  type SlowStepSize,
  type StepSizeSchedule,
} from './lookahead/step-size.js';
