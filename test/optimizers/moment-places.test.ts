import * as tf from '@tensorflow/tfjs-core';
import { adam } from 'slowlane';
import { expect, test, vi } from 'vitest';

import type { WeightwiseOptimizer } from '#src/optimizers/weightwise.js';

import { noise, onEveryEngine, valuesOf } from '../engines.js';

async function slotsOf(optimizer: WeightwiseOptimizer): Promise<number[][]> {
  const [, ...slots] = await optimizer.getWeights();
  return slots.map(({ tensor }) => [...tensor.dataSync()]);
}

const weightOf = () => tf.tidy(() => tf.variable(noise([4096], 3)));

onEveryEngine(() => {
  test('all memory is host memory: moments on the host are those on the device', async () => {
    const gradient = noise([4096], 8);
    for (const stored of ['f32', 'q8'] as const) {
      const [a, b] = [weightOf(), weightOf()];
      const [onDevice, onHost] = [
        adam({ moments: `device:${stored}` }),
        adam({ moments: `host:${stored}` }),
      ];
      for (let step = 0; step < 3; step++) {
        onDevice.applyGradients([{ name: a.name, tensor: gradient }]);
        onHost.applyGradients([{ name: b.name, tensor: gradient }]);
        expect(onHost.due).toBe(false);
      }
      await onHost.flush();
      expect(valuesOf(b)).toEqual(valuesOf(a));
      const again = adam({ moments: `host:${stored}` });
      await again.setWeights(await onDevice.getWeights());
      again.adopt([b]);
      expect(await slotsOf(again)).toEqual(await slotsOf(onHost));
      for (const optimizer of [onDevice, onHost, again]) optimizer.dispose();
      tf.dispose([a, b]);
    }
    gradient.dispose();
  });

  test('a backend that can neither is refused', () => {
    vi.spyOn(tf.engine(), 'backendName', 'get').mockReturnValue('webgl');
    const weight = weightOf();
    expect(() => adam({ moments: 'host:f32' }).adopt([weight])).toThrow(
      expect.objectContaining({
        code: 'UNSUPPORTED',
        message: expect.stringMatching(/startWebGPU.*'webgl'.*'device:q8'/) as string,
      }),
    );
    vi.restoreAllMocks();
    weight.dispose();
  });

  test('an update that fails on its way changes neither the weight nor its moments', async () => {
    const a = weightOf();
    const optimizer = adam({ moments: 'device:q8' });
    const gradient = noise([4096], 8);
    optimizer.applyGradients([{ name: a.name, tensor: gradient }]);
    const engine = tf.engine();
    const runKernel = engine.runKernel.bind(engine);
    const state = async () => [[...valuesOf(a)], ...(await slotsOf(optimizer))];
    const before = await state();
    let failAt = 1;
    for (let hasFailed = true; hasFailed; failAt++) {
      let kernels = 0;
      const spy = vi.spyOn(engine, 'runKernel').mockImplementation((...given) => {
        kernels += 1;
        if (kernels === failAt) throw new Error('no memory');
        return runKernel(...given) as never;
      });
      const fails = () => optimizer.applyGradients([{ name: a.name, tensor: gradient }]);
      hasFailed = false;
      try {
        fails();
      } catch {
        hasFailed = true;
      }
      spy.mockRestore();
      if (hasFailed) expect(await state()).toEqual(before);
    }
    expect(failAt).toBeGreaterThan(20);
    expect(await state()).not.toEqual(before);
    optimizer.dispose();
    tf.dispose([a, gradient]);
  });
});
