// Micro-batches whose weights go, that fail, and whose state is asked for too early.

import * as tf from '@tensorflow/tfjs-core';
import { adam, momentum, sgd } from 'slowlane';
import { expect, test } from 'vitest';

import type { StepOptions } from '#src/optimizers/step-options.js';
import type { WeightwiseOptimizer } from '#src/optimizers/weightwise.js';

import { noise, onEveryEngine, valuesOf } from '../engines.js';

type Make = (options: StepOptions) => WeightwiseOptimizer;

const SIZE = 16;

const weightOf = (seed: number) => tf.tidy(() => tf.variable(noise([SIZE], seed)));

/** Its gradients are the weights, times `scale`. */
const lossOf = (weights: readonly tf.Variable[], scale: number) => (): tf.Scalar => {
  const parts = weights.map((weight) => tf.sum<tf.Scalar>(tf.mul(tf.square(weight), scale / 2)));
  return tf.addN(parts);
};

/** Runs `work` with the kernel of this index failing; false if it ran fewer. */
function failsAt(index: number, work: () => void): boolean {
  const engine = tf.engine();
  const runKernel = engine.runKernel.bind(engine);
  let count = 0;
  const failing: typeof runKernel = (...given) => {
    if (count++ === index) throw new Error('made to fail');
    return runKernel(...given);
  };
  Object.defineProperty(engine, 'runKernel', { value: failing, configurable: true });
  try {
    work();
    return false;
  } catch (error) {
    expect(String(error)).toContain('made to fail');
    return true;
  } finally {
    Reflect.deleteProperty(engine, 'runKernel');
  }
}

onEveryEngine(() => {
  test.each<[string, Make, StepOptions]>([
    ['sums', sgd, {}],
    ['sums, released', sgd, { gradients: 'release' }],
    ['sums, clipped by the norm', sgd, { clipNorm: 1 }],
    ['momentum', momentum, {}],
    ['adam, released', adam, { gradients: 'release' }],
  ])('%s: a weight that is disposed in the middle of a step is left out', (_, make, options) => {
    const tensors = tf.memory().numTensors;
    const [gone, kept] = [weightOf(1), weightOf(2)];
    const optimizer = make({ accumulate: 2, ...options });
    optimizer.minimize(lossOf([gone], 1), false, [gone]);
    gone.dispose();
    const before = valuesOf(kept);
    optimizer.minimize(lossOf([kept], 1), false, [kept]);
    expect(optimizer.isAccumulating).toBe(false);
    expect(optimizer.iterations).toBe(1);
    expect(valuesOf(kept)).not.toEqual(before);
    optimizer.dispose();
    kept.dispose();
    expect(tf.memory().numTensors).toBe(tensors);
  });

  test.each<[string, StepOptions]>([
    ['kept', {}],
    ['released', { gradients: 'release' }],
    ['clipped by value', { clipValue: 0.5 }],
  ])('%s: a micro-batch that fails anywhere and is taken again counts once', (_, options) => {
    /** One step; micro-batch `micro` fails at its kernel `index` first. Null if it has fewer. */
    const step = (micro: number, index: number): number[] | null => {
      const weights = [weightOf(1), weightOf(2), weightOf(3)];
      const optimizer = sgd({ accumulate: 3, ...options });
      let hasFailed = micro < 0;
      for (let i = 0; i < 3; i++) {
        const take = () => void optimizer.minimize(lossOf(weights, i + 1), false, weights);
        if (i !== micro) take();
        else if ((hasFailed = failsAt(index, take))) take();
      }
      expect(optimizer.iterations).toBe(1);
      const values = weights.flatMap(valuesOf);
      optimizer.dispose();
      tf.dispose(weights);
      return hasFailed ? values : null;
    };
    const expected = step(-1, 0) ?? [];
    for (const micro of [0, 1, 2]) {
      let failures = 0;
      for (let values = step(micro, 0); values !== null; values = step(micro, ++failures)) {
        const most = Math.max(...values.map((value, i) => Math.abs(value - (expected[i] ?? NaN))));
        expect(most).toBeLessThan(2e-6);
      }
      expect(failures).toBeGreaterThan(20);
    }
  });

  test.each<[string, StepOptions]>([
    ['not clipped', {}],
    ['clipped by value', { clipValue: 0.5 }],
    ['clipped by the norm', { clipNorm: 2 }],
  ])('%s: a step that fails leaves nothing behind and loses nothing', (_, options) => {
    const tensors = tf.memory().numTensors;
    const [failing, other] = [
      sgd({ accumulate: 2, ...options }),
      sgd({ accumulate: 2, ...options }),
    ];
    const [weight, same, gradient] = [weightOf(1), weightOf(1), noise([SIZE], 5)];
    for (const [optimizer, { name }] of [
      [failing, weight],
      [other, same],
      [other, same],
    ] as const) {
      optimizer.applyGradients([{ name, tensor: gradient }]);
    }
    const before = tf.memory().numTensors;
    const last = () => failing.applyGradients([{ name: weight.name, tensor: gradient }]);
    let failures = 0;
    for (; failsAt(failures, last); failures++) {
      expect(failing.isAccumulating).toBe(true);
      expect(tf.memory().numTensors).toBe(before);
    }
    expect(failures).toBeGreaterThan(1);
    expect(failing.iterations).toBe(1);
    const differences = tf.tidy(() => valuesOf(tf.abs(tf.sub(weight, same))));
    expect(Math.max(...differences)).toBeLessThan(1e-6);
    for (const optimizer of [failing, other]) optimizer.dispose();
    tf.dispose([weight, same, gradient]);
    expect(tf.memory().numTensors).toBe(tensors);
  });

  test('a first micro-batch that failed halfway is not saved either', async () => {
    const weights = [weightOf(1), weightOf(2)];
    const optimizer = momentum({ accumulate: 2 });
    optimizer.adopt(weights);
    const take = () => void optimizer.minimize(lossOf(weights, 1), false, weights);
    let kernels = 0;
    const counting = tf.engine().runKernel.bind(tf.engine());
    Object.defineProperty(tf.engine(), 'runKernel', {
      value: (...given: Parameters<typeof counting>) => (kernels++, counting(...given)),
      configurable: true,
    });
    take();
    Reflect.deleteProperty(tf.engine(), 'runKernel');
    optimizer.reset();
    expect(failsAt(kernels - 1, take)).toBe(true); // in the update of the second weight
    await expect(optimizer.getWeights()).rejects.toMatchObject({ code: 'STEP_OPEN' });
    expect(optimizer.completeStep()).toBe(true);
    await optimizer.getWeights();
    optimizer.dispose();
    tf.dispose(weights);
  });
});
