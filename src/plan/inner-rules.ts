// What the planner has to know of slowlane's inner optimizers.

import {
  adagrad,
  adam,
  adamw,
  lion,
  momentum,
  rmsprop,
  sgd,
  type WeightwiseOptimizer,
} from '../optimizers/index.js';
import type { PlannedInner } from './inner-names.js';
import type { PlannedRule } from './step-bytes.js';

const MAKE: Readonly<Record<PlannedInner, () => WeightwiseOptimizer>> = {
  sgd,
  momentum,
  rmsprop,
  adagrad,
  lion,
  adam,
  adamw,
};

/** The rule with its default options, its gradients not clipped. */
export function ruleOf(inner: PlannedInner): PlannedRule {
  const { slots, takesGradients } = MAKE[inner]().plannable();
  return { slots, takesGradients };
}
