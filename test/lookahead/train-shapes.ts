import * as tf from '@tensorflow/tfjs-core';
import type { Lookahead } from 'slowlane';
import { expect } from 'vitest';

import { halfSquare, noise, slowOf, valuesOf } from '../engines.js';

/** Fast and slow weights of these shapes after so many steps on ½x². Disposes `optimizer`. */
export async function trainShapes(
  shapes: readonly number[][],
  optimizer: Lookahead,
  steps = 6,
): Promise<{ fast: number[][]; slow: number[][] }> {
  const weights = shapes.map((shape, i) => tf.tidy(() => tf.variable(noise(shape, i + 1))));
  const loss = () => tf.addN(weights.map(halfSquare)) as tf.Scalar;
  for (let i = 0; i < steps; i++) await optimizer.step(loss, false, weights);
  const result = { fast: weights.map(valuesOf), slow: await slowOf(optimizer) };
  await optimizer.finish();
  expect(weights.map(valuesOf)).toEqual(result.slow); // the model is what is stored
  optimizer.dispose();
  tf.dispose(weights);
  return result;
}
