// slowlane's inner optimizers by name, and what the planner has to know of them.

import * as optimizers from '../optimizers/index.js';
import type { StepOptions, WeightwiseOptimizer } from '../optimizers/index.js';
import type { InnerName } from './inner-names.js';
import type { PlannedRule } from './step-bytes.js';

const MAKE: Readonly<Record<InnerName, (options?: StepOptions) => WeightwiseOptimizer>> =
  optimizers;

export function makeInner(name: InnerName, options?: StepOptions): WeightwiseOptimizer {
  return MAKE[name](options);
}

/** The rule with its default options. Its gradients are not clipped. */
export function ruleOf(name: InnerName): PlannedRule {
  const { slots, takesGradients } = makeInner(name).plannable();
  return { slots, takesGradients };
}
