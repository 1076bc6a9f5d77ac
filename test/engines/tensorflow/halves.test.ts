// Slow weights that cross as fp16 and are blended by TensorFlow: that blends and roundings are what they should be, and
// that a Lookahead which uses them trains as one whose slow weights the host blends.

import * as tf from '@tensorflow/tfjs-core';
import { loadTraining, lookahead, saveTraining, sgd } from 'slowlane';
import { startTensorFlow } from 'slowlane/tensorflow';
import { beforeAll, describe, expect, test } from 'vitest';

import type { HalfTransfers } from '#src/engine/device.js';
import { currentDevice } from '#src/engines/current-device.js';
import type { TensorFlowBackend } from '#src/tfjs/tensorflow-backend.js';
import { halfValue, roundHalf } from '#workers/codecs/half.js';

import { opsOf, start, values, variable, watchOps } from './engine.js';

let backend: TensorFlowBackend;
let halves: HalfTransfers;

beforeAll(async () => {
  ({ backend } = await start());
  expect(currentDevice().halves).toBeUndefined(); // floats are the default
  expect((await startTensorFlow({ transfers: 'half' })).transfers).toBe('half');
  halves = currentDevice().halves as HalfTransfers;
});

function toHalves(all: Float32Array): Uint16Array {
  return Uint16Array.from(all, (x) => roundHalf(x, 0));
}

function pulled(tensor: tf.Tensor, start: number, length: number, round: number): number[] {
  const into = new Uint16Array(length);
  halves.pull(tensor, start, into, { item: 5, round });
  return Array.from(into, halfValue);
}

describe('rounding', () => {
  const SPECIAL = [0, 1, -2, 65504, -65504, 65503.9, 2 ** -14, 2 ** -14 - 2 ** -30, 3e-8, -1e-7];
  const all = Float32Array.from([...SPECIAL, ...values(91, 3)]);

  test('to one of the two neighbours; what is one itself stays; the mean is the value', () => {
    const tensor = tf.tensor1d(all);
    const rounds = 400;
    const sums = new Float64Array(all.length);
    for (let round = 0; round < rounds; round++) {
      for (const [i, got] of pulled(tensor, 0, all.length, round).entries()) {
        const x = all[i] as number;
        const neighbours = [halfValue(roundHalf(x, 0)), halfValue(roundHalf(x, 0xffff_ffff))];
        expect(neighbours, `${x}`).toContain(got);
        sums[i] = (sums[i] as number) + got;
      }
    }
    for (const [i, x] of all.entries()) {
      const distance = Math.abs(halfValue(roundHalf(x, 0)) - halfValue(roundHalf(x, 0xffff_ffff)));
      // Six standard deviations of a coin's mean at the most: half a distance each.
      expect(Math.abs((sums[i] as number) / rounds - x)).toBeLessThanOrEqual(
        (distance * 3) / Math.sqrt(rounds),
      );
    }
    tensor.dispose();
  });

  test('parts of odd length from odd places; the same draw gives the same, another one other bits', () => {
    const tensor = tf.tensor1d(values(1001, 2));
    const part = pulled(tensor, 333, 667, 1);
    expect(part).toEqual(pulled(tensor, 333, 667, 1));
    expect(part).not.toEqual(pulled(tensor, 333, 667, 2));
    const exact = values(1001, 2).subarray(333, 1000);
    for (const [i, x] of exact.entries()) expect(Math.abs(part[i]! - x)).toBeLessThan(2 ** -10);
    tensor.dispose();
  });

  test('no tensor is left behind', () => {
    const tensor = variable([64, 65], 1);
    pulled(tensor, 0, 4160, 1);
    const before = backend.binding.getNumOfTensors();
    pulled(tensor, 0, 4160, 2);
    halves.blend(tensor, toHalves(values(4160, 2)), 0.5);
    expect(backend.binding.getNumOfTensors()).toBe(before);
    tensor.dispose();
  });
});

describe('blend', () => {
  test.each([0, 0.3, 0.5, 1])('slow + α (fast − slow), α = %d', (stepSize) => {
    const fast = variable([7, 9], 1);
    const before = fast.dataSync().slice();
    const slow = toHalves(values(63, 8));
    halves.blend(fast, slow, stepSize);
    for (const [i, got] of fast.dataSync().entries()) {
      const s = halfValue(slow[i] as number);
      const exact = s + Math.fround(stepSize) * ((before[i] as number) - s);
      if (stepSize === 1) expect(got).toBe(before[i]);
      else if (stepSize === 0) expect(got).toBe(s);
      else expect(Math.abs(got - exact)).toBeLessThanOrEqual(2 ** -23);
    }
    expect(fast.shape).toEqual([7, 9]);
    fast.dispose();
  });

  test('leaves clones, views and arrays of the program alone', () => {
    const given = values(8, 1);
    const fast = tf.variable(tf.tensor(given, [2, 4]));
    const [clone, view] = [fast.clone(), tf.reshape(fast, [8])];
    const before = Array.from(given);
    halves.blend(fast, new Uint16Array(8), 0.5);
    expect(Array.from(fast.dataSync())).toEqual(before.map((x) => Math.fround(x / 2)));
    for (const other of [clone, view]) expect(Array.from(other.dataSync())).toEqual(before);
    expect(Array.from(given)).toEqual(before);
    tf.dispose([fast, clone, view]);
  });

  test('one that fails leaves the weight as it was, and can be repeated', () => {
    const fast = variable([40], 1);
    const before = fast.dataSync().slice();
    const slow = toHalves(values(40, 2));
    const ops = ['Bitcast', 'Cast', 'Reshape', 'AssignVariableOp', 'AssignSubVariableOp'];
    for (const name of [...ops, 'ResourceApplyGradientDescent']) {
      const fail = (op: string) => {
        if (op === name) throw new Error('no memory');
      };
      expect(() => opsOf(backend, () => halves.blend(fast, slow, 0.5), fail)).toThrow('no memory');
      const after = fast.dataSync();
      if (ops.includes(name)) expect(after).toEqual(before);
      // Taken back: up to rounding.
      for (const [i, x] of after.entries()) expect(Math.abs(x - before[i]!)).toBeLessThan(2 ** -22);
    }
    const tensors = backend.binding.getNumOfTensors();
    halves.blend(fast, slow, 0.5);
    expect(backend.binding.getNumOfTensors()).toBe(tensors);
    expect(fast.dataSync()[0]).toBeCloseTo((halfValue(slow[0] as number) + before[0]!) / 2, 6);
    fast.dispose();
  });
});

describe('Lookahead', () => {
  const SHAPE = [70, 65]; // an odd number of halves in two chunks, and padding behind

  const made = () =>
    lookahead(sgd({ learningRate: 0.05 }), {
      slow: 'host:f16',
      syncPeriod: 2,
      chunkBytes: 9104, // 2276 elements: the weight has two chunks
      workers: 0,
    });

  async function trained(transfers: 'half' | 'float') {
    await startTensorFlow({ transfers });
    const [weight, bias] = [variable(SHAPE, 1), variable([65], 2)];
    const target = tf.tensor(values(4550, 4), SHAPE);
    const loss = () =>
      tf.tidy(() =>
        tf.add<tf.Scalar>(tf.sum(tf.squaredDifference(weight, target)), tf.sum(tf.square(bias))),
      );
    const optimizer = made();
    for (let step = 0; step < 6; step++) await optimizer.step(loss, false, [weight, bias]);
    const slow = await optimizer.withSlowWeights(() => weight.dataSync().slice());
    const end = { fast: weight.dataSync().slice(), bias: bias.dataSync().slice(), slow };
    const saved = await saveTraining(optimizer, [weight, bias]);
    const stats = optimizer.stats();
    return { ...end, stats, saved, optimizer, weights: [weight, bias], loss, target };
  }

  test('trains as with floats, up to rounding, for half the bytes', async () => {
    const [half, float] = [await trained('half'), await trained('float')];
    expect(half.stats.workers).toBe('device');
    expect(half.bias).toEqual(float.bias); // small ones stay float32, and go by the workers
    for (const which of ['fast', 'slow'] as const) {
      for (const [i, x] of half[which].entries()) expect(x).toBeCloseTo(float[which][i]!, 2);
      expect(half[which]).not.toEqual(float[which]); // other random bits
    }
    for (const x of half.slow) expect(halfValue(roundHalf(x, 0))).toBe(x);
    const syncs = 3;
    expect(half.stats.bytesPulled).toBe(syncs * (2 * 4550 + 4 * 65));
    expect(float.stats.bytesPulled).toBe(syncs * (4 * 4550 + 4 * 65));
    for (const { optimizer, weights, target } of [half, float]) {
      optimizer.dispose();
      tf.dispose([...weights, target]);
    }
  });

  test('goes on where a weight is disposed in the middle of a sync', async () => {
    const one = await trained('half');
    await startTensorFlow({ transfers: 'half' });
    await one.optimizer.step(one.loss, false, one.weights);
    one.optimizer.minimize(one.loss, false, one.weights); // leaves a sync due
    const stop = watchOps(backend, (op) => {
      if (op === 'ResourceApplyGradientDescent') queueMicrotask(() => one.weights[0]?.dispose());
    });
    await one.optimizer.sync();
    stop();
    expect(one.weights[0]?.isDisposed).toBe(true);
    one.optimizer.dispose();
    tf.dispose([...one.weights, one.target]);
  });

  test('goes on after a sync that broke off, and a saved one ends the same', async () => {
    const one = await trained('half');
    await startTensorFlow({ transfers: 'half' });
    const step = () => one.optimizer.step(one.loss, false, one.weights);
    await step();
    one.optimizer.minimize(one.loss, false, one.weights); // leaves a sync due
    let roundings = 0;
    const stop = watchOps(backend, (op) => {
      if (op === 'StatelessRandomUniform' && ++roundings === 2) throw new Error('no memory');
    });
    await expect(one.optimizer.sync()).rejects.toThrow('no memory'); // the second chunk's
    stop();
    await one.optimizer.sync();
    const broken = one.weights[0]!.dataSync().slice();

    one.optimizer.dispose();
    const again = made();
    await loadTraining(one.saved, again, one.weights);
    for (let i = 0; i < 2; i++) await again.step(one.loss, false, one.weights);
    expect(one.weights[0]!.dataSync()).toEqual(broken);
    again.dispose();
    tf.dispose([...one.weights, one.target]);
  });
});

test('a wrong choice is an error', async () => {
  await expect(startTensorFlow({ transfers: 'f16' as never })).rejects.toThrow(
    /transfers must be 'float' or 'half', got "f16"/,
  );
});
