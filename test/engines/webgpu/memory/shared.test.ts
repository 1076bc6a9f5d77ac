// A weight whose initial tensor stays: the bytes that this costs are named as what they are.

import * as tf from '@tensorflow/tfjs-core';
import { adam, meter } from 'slowlane';
import { expect, test } from 'vitest';

import { halfSquare } from '../../../engines.js';
import { describeWebGPU, start } from '../engine.js';

describeWebGPU(() => {
  test('the old data of a weight counts as weights as long as another tensor holds it', async () => {
    const { memory } = await start();
    const initial = tf.add(tf.ones([64, 64]), 1); // on the device: 16 KiB
    const weight = tf.variable(initial);
    const metered = meter();
    const optimizer = adam({ gradients: 'release' });
    for (let step = 1; step <= 3; step++) {
      metered.beginStep(step);
      optimizer.minimize(() => halfSquare(weight), false, [weight]);
      expect(memory().by).toMatchObject({ weights: 2 * 16_384, moments: 2 * 16_384 });
    }
    metered.beginStep(4);
    expect(metered.bytes).toEqual(memory().by);
    initial.dispose();
    expect(memory().by.weights).toBe(16_384);
    metered.stop();
    expect(metered.bytes).toEqual(memory().by);
    weight.dispose();
    optimizer.dispose();
  });
});
