// Restored 8-bit moments on the device: kernels are kept by formula, and must not be mixed up.

import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { adam, momentum, rmsprop } from '#src/optimizers/index.js';
import type { WeightwiseOptimizer } from '#src/optimizers/weightwise.js';
import { eachWithFreshCounts, noise, variableOf } from './webgpu.js';

eachWithFreshCounts(() => undefined);

const q8 = { moments: 'device:q8' } as const;

test('states of optimizers whose slots share names are restored one after the other', async () => {
  const gradient = tf.tensor1d(noise(5000, 1));
  const makers = [
    () => adam(q8),
    () => momentum(q8),
    () => rmsprop({ momentum: 0.9, ...q8 }),
    () => rmsprop(q8),
  ];
  for (const make of makers) {
    const [weight, again] = [variableOf(noise(5000, 9)), variableOf(noise(5000, 9))];
    const [original, restored] = [make(), make()];
    const step = (optimizer: WeightwiseOptimizer, variable: tf.Variable) =>
      optimizer.applyGradients({ [variable.name]: gradient });
    step(original, weight);
    step(restored, again);
    await restored.setWeights(await original.getWeights());
    step(original, weight);
    step(restored, again);
    expect(await again.data()).toEqual(await weight.data());
    original.dispose();
    restored.dispose();
    tf.dispose([weight, again]);
  }
  gradient.dispose();
});
