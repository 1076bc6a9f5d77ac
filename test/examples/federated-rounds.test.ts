// The example of federated rounds runs as it is.

import { expect, test } from 'vitest';

import * as tf from '@tensorflow/tfjs-core';

import { federate } from '../../examples/federated-rounds/rounds.js';
import { onEveryEngine } from '../engines.js';

onEveryEngine(() => {
  test('six rounds of three clients reduce the loss of the shared model to less than a third', async () => {
    const { numTensors } = tf.memory();
    const losses = await federate({ clients: 3, rounds: 6 });
    expect(losses).toHaveLength(7);
    expect(losses.at(-1)).toBeLessThan((losses[0] as number) / 3);
    expect(tf.memory().numTensors).toBe(numTensors);
  });
});
