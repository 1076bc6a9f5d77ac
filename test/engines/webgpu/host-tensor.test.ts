// Tensors of getWeights() as operands on the device, where a weight that shares its data is written in place.
import * as tf from '@tensorflow/tfjs-core';
import { adam } from 'slowlane';
import { expect, test } from 'vitest';
import { hostTensor } from '#src/tfjs/host-tensor.js';

import { describeWebGPU, start } from './engine.js';

describeWebGPU(() => {
  test('computed with and assigned: the weight moves, the tensor stays', async () => {
    const { backend } = await start();
    const used = () => backend.deviceMemory().usedBytes;
    const before = used();
    const host = hostTensor(Float32Array.of(1, 2, 3), [3]);
    expect(used()).toBe(before);
    const weight = tf.tidy(() => tf.variable(tf.zeros<tf.Rank.R1>([3])));
    weight.assign(host as tf.Tensor1D);
    const optimizer = adam({ learningRate: 1 });
    const gradient = tf.ones([3]);
    optimizer.applyGradients({ [weight.name]: gradient });
    [...(await weight.data())].forEach((value, i) => expect(value).toBeCloseTo(i, 5));
    const doubled = tf.mul(host, 2);
    expect([...(await doubled.data())]).toEqual([2, 4, 6]);
    optimizer.dispose();
    tf.dispose([host, weight, gradient, doubled]);
    backend.flush();
    expect(used()).toBe(before);
  });
});
