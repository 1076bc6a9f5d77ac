// Small weights, and steps of tf.train's optimizers inside ours.

import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'vitest';

import { asInner, type ForeignInner } from '#src/optimizers/foreign.js';
import { halfSquare } from '../../engines.js';

export const weight = (name: string, values = [1]) =>
  tf.tidy(() => tf.variable(tf.tensor1d(values), true, name));
export const inner = (optimizer: tf.Optimizer) => asInner(optimizer) as ForeignInner;
/** ½ Σ x²: the gradient of x is x. */
export const loss = (weights: readonly tf.Variable[]) => () =>
  tf.addN(weights.map(halfSquare)) as tf.Scalar;
export const step = (of: ForeignInner, ...weights: tf.Variable[]) =>
  of.minimize(loss(weights), false, weights);
export const refused = expect.objectContaining({ code: 'UNSUPPORTED_INNER' });
export const saved = async (of: ForeignInner) =>
  (await of.getWeights()).map(({ name, tensor }) => ({ name, tensor: tensor.clone() }));
