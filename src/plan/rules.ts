// What the planner has to know of an inner optimizer.

import { makeInner } from '../optimizers/rules/by-name.js';
import type { InnerName } from '../optimizers/rules/names.js';
import type { PlannedRule } from './step-bytes.js';

/** The rule with its default options. Its gradients are not clipped. */
export function ruleOf(name: InnerName): PlannedRule {
  const { slots, takesGradients } = makeInner(name).plannable();
  return { slots, takesGradients };
}
