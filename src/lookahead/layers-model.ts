// What a Lookahead knows of tfjs's LayersModel.

import type * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';

import { SlowlaneError } from '../checks/errors.js';
import type { LookaheadSettings } from './options.js';
import { checkVariables } from '../tfjs/variables.js';
import { isAdaptive } from './step-size.js';

/** A `tf.LayersModel`, as far as it is needed. */
export interface LayersModelLike {
  /** Its trainable weights; `read` gives the variable. */
  readonly trainableWeights: readonly { read(): tf.Tensor }[];
  /** Its frozen weights too. */
  readonly weights?: readonly { read(): tf.Tensor }[];
}

/** Whatever an override may name: a frozen layer may have its entry. */
export function namedWeightsOf({ weights, trainableWeights }: LayersModelLike): tf.Variable[] {
  return (weights ?? trainableWeights).map((weight) => weight.read() as tf.Variable);
}

/** @throws TypeError if `source` is neither a model nor a list of variables. */
export function weightsOf(source: LayersModelLike | readonly tf.Variable[]): tf.Variable[] {
  const given: unknown = source;
  const weights = isModel(given) ? readAll(given.trainableWeights) : given;
  checkVariables('attach', weights, 'a LayersModel or an array of variables');
  return [...weights];
}

function isModel(given: unknown): given is { readonly trainableWeights: unknown } {
  return typeof given === 'object' && given !== null && 'trainableWeights' in given;
}

/** What cannot be read is no variable. */
function readAll(weights: unknown): unknown {
  if (!Array.isArray(weights)) return weights;
  return weights.map((weight: { read?: () => unknown } | null) => weight?.read?.());
}

/** Whether `optimizer` can train `model` in fit(). */
export function checkModel(
  model: tfl.LayersModel,
  optimizer: tf.Optimizer,
  { slowStepSize }: LookaheadSettings,
): void {
  if (model.optimizer !== optimizer) {
    throw new TypeError(
      'These callbacks belong to another optimizer than the one the model was compiled with. Pass callbacks() of the Lookahead that was given to compile().',
    );
  }
  // tfjs collects metrics as a side effect of the loss, which adaptive() evaluates twice at a sync.
  const metrics = model.metricsNames.filter((name) => !name.endsWith('loss'));
  if (isAdaptive(slowStepSize) && metrics.length > 0) {
    throw new SlowlaneError(
      'UNSUPPORTED_INNER',
      `adaptive() cannot be used in fit() with metrics (${metrics.join(', ')}): tfjs would count them twice at each sync. Compile without metrics and evaluate() with them, or train with step().`,
      { metrics },
    );
  }
}
