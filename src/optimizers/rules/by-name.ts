// slowlane's inner optimizers by name.

import * as optimizers from '../index.js';
import type { StepOptions, WeightwiseOptimizer } from '../index.js';
import type { InnerName } from './names.js';

const MAKE: Readonly<Record<InnerName, (options?: StepOptions) => WeightwiseOptimizer>> =
  optimizers;

export function makeInner(name: InnerName, options?: StepOptions): WeightwiseOptimizer {
  return MAKE[name](options);
}
