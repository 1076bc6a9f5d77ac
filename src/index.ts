/**
 * Lookahead, inner optimizers, planner, meter and saving, for any backend of TensorFlow.js.
 *
 * @module slowlane
 */

export { describePlan } from './plan/describe.js';
export { SlowlaneError, type SlowlaneErrorCode } from './checks/errors.js';
export type { Phase, Place } from './engine/categories.js';
export { type Meter, meter, type MeterOptions } from './meter/meter.js';
export type { TimelineData } from './meter/timeline-data.js';
export type { MeterEvent } from './meter/timeline.js';
export type { FitCallback } from './tfjs/fit-callback.js';
export { Lookahead, lookahead } from './lookahead/lookahead.js';
export type { InnerState, LookaheadOptions, NonFinitePolicy } from './lookahead/options.js';
export type { WeightOverride } from './lookahead/weight-overrides.js';
export type { LookaheadStats } from './lookahead/stats.js';
export type { Plan, PlannedPolicy } from './plan/make-plan.js';
export type { PlanOverride } from './plan/overrides.js';
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
