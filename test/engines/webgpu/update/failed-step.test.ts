// A device that refuses a buffer or a dispatch in the middle of a step: the error names the weights that have moved, or none
// has and the step can be taken again.
import * as tf from '@tensorflow/tfjs-core';
import { adam, SlowlaneError, type StepOptions } from 'slowlane';
import { expect, test } from 'vitest';

import { describeWebGPU, start } from '../engine.js';

/** What fails: a buffer that the host fills, as those of uniforms are, or the recording of a dispatch. */
const FAULTS = ['buffer', 'dispatch'] as const;

const ROUTES: [string, StepOptions, number, 'minimize' | 'apply'][] = [
  ['kept gradients', {}, 64, 'minimize'],
  ['gradients of the caller', {}, 64, 'apply'],
  ['released gradients', { gradients: 'release' }, 64, 'minimize'],
  ['moments on the host', { moments: 'host:f32' }, 4096, 'apply'],
];

describeWebGPU(() => {
  test.each(ROUTES)(
    '%s: each buffer and each dispatch fails once',
    async (_, options, size, by) => {
      const { backend } = await start();
      const encoder = backend.device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      const passes = Object.getPrototypeOf(pass) as GPUComputePassEncoder;
      pass.end();
      const devices = Object.getPrototypeOf(backend.device) as GPUDevice;
      const createBuffer = Reflect.get(devices, 'createBuffer') as GPUDevice['createBuffer'];
      const dispatchWorkgroups = Reflect.get(
        passes,
        'dispatchWorkgroups',
      ) as GPUComputePassEncoder['dispatchWorkgroups'];
      let left = Infinity;
      const fault = (is: boolean) => {
        if (is && left-- === 0) throw new RangeError('refused');
      };
      const seen = { untouched: 0, named: 0 };
      for (const failing of FAULTS) {
        devices.createBuffer = function (descriptor) {
          fault(failing === 'buffer' && descriptor.mappedAtCreation === true);
          return createBuffer.call(this, descriptor);
        };
        passes.dispatchWorkgroups = function (...groups) {
          fault(failing === 'dispatch');
          return dispatchWorkgroups.apply(this, groups);
        };
        try {
          for (let n = 0; ; n++) {
            const weights = [1, 2, 3].map((value) =>
              tf.tidy(() => tf.variable(tf.fill([size], value), true, `w${value}`)),
            );
            const optimizer = adam({ learningRate: 0.25, ...options });
            const gradients = weights.map(({ name }) => ({ name, tensor: tf.ones([size]) }));
            const step = () => {
              if (by === 'apply') return optimizer.applyGradients(gradients);
              optimizer.minimize(
                () => tf.addN(weights.map((w) => tf.sum(w))) as tf.Scalar,
                false,
                weights,
              );
            };
            const values = async () => {
              await optimizer.flush();
              const read = weights.map(async (weight) => (await weight.data())[size - 1] ?? NaN);
              return Promise.all(read);
            };
            left = n;
            let error: unknown = null;
            try {
              step();
            } catch (thrown) {
              error = thrown;
            }
            const isOver = error === null;
            left = Infinity;
            const details = error instanceof SlowlaneError ? error.details : {};
            const named = (details['changedWeights'] ?? []) as string[];
            const moved = (name: string) => isOver || named.includes(name);
            // The first step of Adam is γ, here a quarter.
            const now = await values();
            weights.forEach(({ name }, i) =>
              expect([n, name, now[i]]).toEqual([
                n,
                name,
                expect.closeTo(moved(name) ? i + 0.75 : i + 1, 5),
              ]),
            );
            if (!isOver) {
              expect(optimizer.iterations).toBe(0);
              expect(details['changed']).toBe(named.length > 0 ? named.length : undefined);
              if (named.length === 0) {
                step();
                (await values()).forEach((value, i) => expect(value).toBeCloseTo(i + 0.75, 5));
              }
              seen[named.length === 0 ? 'untouched' : 'named'] += 1;
            }
            optimizer.dispose();
            tf.dispose([...weights, ...gradients.map(({ tensor }) => tensor)]);
            if (isOver) break;
            backend.pool.trim(); // new buffers again
          }
        } finally {
          devices.createBuffer = createBuffer;
          passes.dispatchWorkgroups = dispatchWorkgroups;
        }
      }
      expect(seen.untouched).toBeGreaterThan(0);
      expect(seen.named).toBeGreaterThan(0);
    },
  );
});
