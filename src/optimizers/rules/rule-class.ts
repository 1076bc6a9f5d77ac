/** Makes an optimizer class of an update rule: the part that all rules have in common. */
import * as tf from '@tensorflow/tfjs-core';
import { checkBoolean, checkKeys, checkNumber } from '../../checks/check.js';
import type { RuleConstants, UpdateRule } from '../../formula/update-rule.js';
import { STEP_OPTIONS } from '../step-options.js';
import { WeightwiseOptimizer } from '../weightwise.js';
import { classNameOf } from './names.js';

/** With a name, for declarations would name a file inside of TensorFlow.js, which its package does not export. */
export interface RuleClass extends tf.serialization.SerializableConstructor<WeightwiseOptimizer> {}

/** The class of `rule`, registered under the name by which TensorFlow.js saves and finds it. */
export function ruleClass(rule: UpdateRule): RuleClass {
  class RuleOptimizer extends WeightwiseOptimizer {
    static readonly className = classNameOf(rule.name);

    constructor(options?: unknown) {
      const names = [...Object.keys(rule.constants), ...STEP_OPTIONS];
      const given = checkKeys(rule.name, options, names);
      super(rule, constantsOf(rule, given), given);
    }
  }
  tf.serialization.registerClass(RuleOptimizer);
  return RuleOptimizer;
}

/** The constants of `rule` among the options, or their defaults. @throws TypeError or RangeError. */
function constantsOf(
  { constants }: UpdateRule,
  given: Readonly<Record<string, unknown>>,
): RuleConstants {
  return Object.fromEntries(
    Object.entries(constants).map(([name, { default: fallback, ...range }]) => {
      const value = given[name] === undefined ? fallback : given[name];
      const isSwitch = typeof fallback === 'boolean';
      return [name, isSwitch ? checkBoolean(name, value) : checkNumber(name, value, range)];
    }),
  );
}
