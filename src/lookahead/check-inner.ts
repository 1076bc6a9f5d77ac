// Refuses options of a Lookahead that its inner optimizer cannot support.

import type * as tf from '@tensorflow/tfjs-core';

import { SlowlaneError } from '../checks/errors.js';
import type { LookaheadSettings } from './options.js';
import type { InnerOptimizer } from '../optimizers/inner-optimizer.js';
import { isAdaptive } from './step-size.js';

/**
 * Refuses at once, and not at the first sync, what `inner` cannot do.
 *
 * @throws SlowlaneError UNSUPPORTED_INNER.
 */
export function checkInner(inner: InnerOptimizer, settings: LookaheadSettings): void {
  const { innerState, slowStepSize, overrides, vramBudget, nonFinite, sync } = settings;
  const name = inner.optimizer.getClassName();
  const plannable = inner.plannable?.();
  const needsMoment = isAdaptive(slowStepSize) && !slowStepSize.curvature;
  const refusals: readonly (readonly [isRefused: boolean, reason: string])[] = [
    [
      vramBudget !== null && plannable === undefined,
      `vramBudget decides where gradients and moments are, which ${name} has no options for. Use one of slowlane's own optimizers, or leave vramBudget out.`,
    ],
    [
      vramBudget !== null && plannable?.isOpen === false,
      `vramBudget decides where the moments of ${name} are, which has taken steps already. Give lookahead() a new one, or leave vramBudget out.`,
    ],
    [
      innerState !== 'maintain' && !inner.supportsState,
      `innerState '${innerState}' needs an inner optimizer whose state can be reached, which ${name}'s cannot. Use 'maintain', or one of slowlane's own optimizers.`,
    ],
    [
      innerState === 'interpolate' && inner.hidesState === true,
      `innerState 'interpolate' needs moments in float32 on the device, and this ${name} has others. Use moments: 'device:f32', or innerState 'maintain' or 'reset'.`,
    ],
    [
      nonFinite === 'restore' && !inner.supportsState,
      `nonFinite 'restore' needs an inner optimizer whose state can be reset, which ${name}'s cannot. Use 'throw' or 'skip', or one of slowlane's own optimizers.`,
    ],
    [
      innerState === 'reset' &&
        !inner.resetsByWeight &&
        overrides.some(({ exclude }) => exclude === true),
      `innerState 'reset' with excluded weights needs an inner optimizer that can reset by weight, which ${name} cannot. Use one of slowlane's own optimizers.`,
    ],
    [
      sync === 'inline' && isAdaptive(slowStepSize),
      `sync 'inline' cannot be used with adaptive(), which has to wait for the device. Use a number or a schedule, or leave sync out.`,
    ],
    [
      // Those of TensorFlow.js give their state only to those who wait.
      sync === 'inline' &&
        !inner.resetsByWeight &&
        (innerState !== 'maintain' || nonFinite === 'restore'),
      `sync 'inline' with innerState '${innerState}' and nonFinite '${nonFinite}' needs an inner optimizer whose state can be reached without waiting, which ${name}'s cannot. Use innerState 'maintain' with nonFinite 'throw' or 'skip', or one of slowlane's own optimizers.`,
    ],
    [
      needsMoment && inner.hidesState === true,
      `adaptive() needs a second moment in float32 on the device, and this ${name} has others. Use moments: 'device:f32', or the option 'curvature'.`,
    ],
    [
      needsMoment && !inner.hasSecondMoment,
      `adaptive() needs an inner optimizer with a second moment (adam, adamw, rmsprop, adagrad), which ${name} has not, or the option 'curvature'.`,
    ],
  ];
  const refused = refusals.find(([isRefused]) => isRefused);
  if (refused) throw new SlowlaneError('UNSUPPORTED_INNER', refused[1], { optimizer: name });
}

/** @throws SlowlaneError UNSUPPORTED_INNER if steps need the loss and not only its gradients. */
export function checkAppliesGradients({ slowStepSize }: LookaheadSettings): void {
  if (!isAdaptive(slowStepSize)) return;
  throw new SlowlaneError(
    'UNSUPPORTED_INNER',
    'adaptive() needs the loss to get the gradient at the fast weights: use minimize() or step() instead of applyGradients().',
  );
}

const taken = new WeakSet<tf.Optimizer>();

/** Marks `inner` as some Lookahead's own. @throws TypeError if it is another's already. */
export function takeOver(inner: tf.Optimizer): void {
  if (taken.has(inner)) {
    throw new TypeError(
      'This inner optimizer is inside another Lookahead already, which would take steps and dispose it too. Make one for each.',
    );
  }
  taken.add(inner);
}
