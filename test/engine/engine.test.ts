// The registry: one engine a backend, asked for whatever the backend can do.

import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sgd } from 'slowlane';

import { type Engine, engineOf, registerEngine, unregisterEngine } from '#src/engine/engine.js';
import { currentDevice } from '#src/engines/current-device.js';
import { cpuDevice, genericDevice } from '#src/engines/portable/devices.js';
import { meter } from '#src/meter/meter.js';

let backend: tf.KernelBackend;
beforeEach(async () => {
  await tf.setBackend('cpu');
  backend = tf.backend();
});
afterEach(() => unregisterEngine(backend));

/** One step of gradient descent on 8 with the gradient 2, at a rate of 0.5: plainly 8 − 0.5 · 2 = 7. */
function stepped(): number {
  const weight = tf.tidy(() => tf.variable(tf.scalar(8)));
  const gradient = tf.scalar(2);
  sgd({ learningRate: 0.5 }).applyGradients({ [weight.name]: gradient });
  const [value = NaN] = weight.dataSync();
  tf.dispose([weight, gradient]);
  return value;
}

test('updates run in the registered engine, and as tensor operations once it is unregistered', () => {
  const device = genericDevice;
  const update: Engine['update'] = ({ weight, gradient }) => weight.assign(gradient);
  expect(stepped()).toBe(7);
  registerEngine(backend, { device, update });
  expect(stepped()).toBe(2);
  registerEngine(backend, { device }); // replaces the whole engine: no update of its own any more
  expect(stepped()).toBe(7);
  registerEngine(backend, { device, update });
  unregisterEngine(backend);
  expect(stepped()).toBe(7);
  expect(engineOf(backend)).toBeUndefined();
});

test('the device is the one of the engine, and else the one that fits tfjs’s backend', () => {
  const device = { ...genericDevice };
  expect(currentDevice()).toBe(cpuDevice);
  registerEngine(backend, { device });
  expect(currentDevice()).toBe(device);
});

test('a meter takes its numbers from the engine: 100 bytes of weights become 60', () => {
  registerEngine(backend, {
    device: genericDevice,
    meter: (sink) => {
      sink.beginStep(0, 'other');
      sink.move(100, 'free', 'weights', 'other');
      return {
        kind: 'allocator',
        budgetBytes: 1000,
        beginStep: () => sink.move(40, 'weights', 'free', 'other'),
        syncing: () => undefined,
        stop: () => undefined,
      };
    },
  });
  const metered = meter();
  expect(metered.source).toBe('allocator');
  expect(metered.bytes.weights).toBe(100);
  metered.beginStep(1);
  expect(metered.bytes.weights).toBe(60);
  expect(metered.timeline().budgetBytes).toBe(1000);
  metered.stop();
});

test('an engine of another backend is not asked', () => {
  registerEngine({} as tf.KernelBackend, {
    device: genericDevice,
    update: () => {
      throw new Error('asked');
    },
  });
  expect(stepped()).toBe(7);
});
