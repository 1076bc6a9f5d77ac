// Public names of the inner optimizers.
export { type AdagradOptions, adagrad } from './adagrad.js';
export { type AdamOptions, adam } from './adam.js';
export { type AdamwOptions, adamw } from './adamw.js';
export { type Gradients } from '../autograd/gradients.js';
export { type LearningRate } from './learning-rate.js';
export { type LionOptions, lion } from './lion.js';
export { type MomentumOptions, momentum } from './momentum.js';
export { type RmspropOptions, rmsprop } from './rmsprop.js';
export {
  type ConstantSchedule,
  type CosineSchedule,
  type Schedule,
  type StepSchedule,
  type WarmupSchedule,
  schedules,
} from './schedules.js';
export { type SgdOptions, sgd } from './sgd.js';
export {
  type GradientLifetime,
  type MomentOverride,
  type MomentPolicy,
  type StepOptions,
} from './step-options.js';
export { WeightwiseOptimizer } from './weightwise.js';
