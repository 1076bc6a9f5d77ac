// Public names of the inner optimizers.
export { type AdagradOptions, adagrad } from './rules/adagrad.js';
export { type AdamOptions, adam } from './rules/adam.js';
export { type AdamwOptions, adamw } from './rules/adamw.js';
export { type Gradients } from '../autograd/gradients.js';
export { type LearningRate } from './learning-rate.js';
export { type LionOptions, lion } from './rules/lion.js';
export { type MomentumOptions, momentum } from './rules/momentum.js';
export { type RmspropOptions, rmsprop } from './rules/rmsprop.js';
export {
  type ConstantSchedule,
  type CosineSchedule,
  type Schedule,
  type StepSchedule,
  type WarmupSchedule,
  schedules,
} from './schedules.js';
export { type SgdOptions, sgd } from './rules/sgd.js';
export {
  type GradientLifetime,
  type MomentOverride,
  type MomentPolicy,
  type StepOptions,
} from './step-options.js';
export { WeightwiseOptimizer } from './weightwise.js';
