// Public names of the inner optimizers.
export { type AdagradOptions, Adagrad, adagrad } from './adagrad.js';
export { type AdamOptions, Adam, adam } from './adam.js';
export { type AdamwOptions, Adamw, adamw } from './adamw.js';
export { type Gradients } from '../autograd/gradients.js';
export { type LearningRate } from './learning-rate.js';
export { type LionOptions, Lion, lion } from './lion.js';
export { type MomentumOptions, Momentum, momentum } from './momentum.js';
export { type RmspropOptions, Rmsprop, rmsprop } from './rmsprop.js';
export {
  type ConstantSchedule,
  type CosineSchedule,
  type Schedule,
  type StepSchedule,
  type WarmupSchedule,
  schedules,
} from './schedules.js';
export { type SgdOptions, Sgd, sgd } from './sgd.js';
export {
  type GradientLifetime,
  type MomentOverride,
  type MomentPolicy,
  type StepOptions,
} from './step-options.js';
export { WeightwiseOptimizer } from './weightwise.js';
