import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { SlowlaneError } from '#src/checks/errors.js';
import { type StepOptions, adam, momentum, sgd } from '#src/optimizers/index.js';
import { noise, onEveryEngine, valuesOf } from '../engines.js';
import { watchData } from '../optimizers/watched-data.js';

const SIZE = 256;
const LAYERS = 8;
const WEIGHT_BYTES = LAYERS * SIZE * SIZE * 4;

function stack(size = SIZE, batch = 8) {
  const weights = Array.from({ length: LAYERS }, (_, i) =>
    tf.tidy(() => tf.variable(tf.mul(noise([size, size], i + 1), 0.1))),
  );
  const x = noise([batch, size], 99);
  const loss = (): tf.Scalar => {
    let y: tf.Tensor = x;
    for (const weight of weights) y = tf.relu(tf.matMul(y, weight));
    return tf.mean(tf.square(y));
  };
  return { weights, x, loss };
}

/** Peak of the second step over the bytes of the weights: of tensors, and (cpu) of their data. */
async function peaks(options: StepOptions, batch = 8): Promise<{ tensors: number; data: number }> {
  tf.disposeVariables();
  const optimizer = adam(options);
  const { weights, x, loss } = stack(SIZE, batch);
  optimizer.minimize(loss, false, weights);
  const before = tf.memory().numBytes; // nothing is shared between steps
  const watch = watchData();
  const { peakBytes } = await tf.profile(() => {
    optimizer.minimize(loss, false, weights);
  });
  watch.stop();
  optimizer.dispose();
  tf.dispose([x, ...weights]);
  return { tensors: peakBytes / WEIGHT_BYTES, data: (before + watch.peak()) / WEIGHT_BYTES };
}

onEveryEngine(() => {
  test('Adam on 8 layers: tensors of 4 times the weights and the temporaries of one, not of 5', async () => {
    // tf.profile counts what an op saved of a weight as a second one, though it has no data of its own.
    const [keep, release] = [await peaks({}), await peaks({ gradients: 'release' })];
    expect(keep.tensors).toBeGreaterThan(5);
    expect(release.tensors).toBeLessThan(4 + 3.6 / LAYERS);
  });

  test('not one op more than with gradients kept: none for the input, none for a frozen weight', async () => {
    const names: string[][] = [];
    for (const gradients of ['keep', 'release'] as const) {
      tf.disposeVariables();
      const { weights, x, loss } = stack(8);
      const optimizer = sgd({ gradients });
      const { kernels } = await tf.profile(() => {
        optimizer.minimize(loss, false, weights.slice(2));
      });
      names.push(kernels.map(({ name }) => name).toSorted());
      tf.dispose([x, ...weights]);
    }
    expect(names[1]).toEqual(names[0]);
  });

  test('no tensor is left of 30 steps, nor of losses that fail', () => {
    tf.disposeVariables();
    const { weights, x, loss } = stack(16);
    const optimizer = momentum({ gradients: 'release' });
    optimizer.minimize(loss);
    const { numTensors, numDataBuffers } = tf.memory();
    for (let i = 0; i < 30; i++) optimizer.minimize(loss, i % 2 === 0)?.dispose();
    expect(tf.memory()).toMatchObject({ numTensors, numDataBuffers });

    const values = weights.map(valuesOf);
    const failing: [message: string, f: () => tf.Scalar, varList?: tf.Variable[]][] = [
      ['half way', () => (loss(), fail('half way'))],
      ['in a gradient', () => (tf.grad(() => (loss(), fail('in a gradient')))(x), loss())],
      ['rank-2', () => tf.matMul(x, weights[0]!) as unknown as tf.Scalar],
      ['Cannot find a connection', () => tf.sum(x)],
      ['is trainable', loss, []],
      ['scalar tensor', () => (loss(), undefined as never)],
      ['gradient function not found for Greater', () => tf.sum(tf.greater(tf.mean(loss()), 0))],
      ['takes a function, got 3', 3 as never],
      ['a tensor that is no variable', loss, [x as never]],
    ];
    for (const [message, f, varList] of failing) {
      const run = () => optimizer.minimize(f, true, varList);
      expect(run).toThrow(message);
      expect({ message, ...tf.memory() }).toMatchObject({ message, numTensors, numDataBuffers });
    }
    expect(weights.map(valuesOf)).toEqual(values);
    const { gradientDepth, activeTape } = tf.engine().state;
    expect([optimizer.iterations, gradientDepth, activeTape]).toEqual([31, 0, null]);
    tf.dispose([x, ...weights]);
    optimizer.dispose();
  });
});

describe('data on cpu, over that of the weights', () => {
  beforeAll(() => tf.setBackend('cpu'));

  // One layer: its gradient, Adam's temporaries up to 3. Activations: 15 of 8 rows, in which a layer has 256.
  test('3 and one layer instead of 4 and its temporaries', async () => {
    const [keep, release] = [await peaks({}), await peaks({ gradients: 'release' })];
    expect(keep.data).toBeGreaterThan(4 + 3 / LAYERS);
    expect(release.data).toBeLessThan(3 + (1 + 3 + 15 / 32 + 0.01) / LAYERS);
  });

  test('activations go as their gradients come: with batch 128 a third less', async () => {
    const [keep, release] = [await peaks({}, 128), await peaks({ gradients: 'release' }, 128)];
    expect(keep.data).toBeGreaterThan(6);
    expect(release.data).toBeLessThan(4.6);
  });
});

describe('what a backward pass that fails leaves', () => {
  const failing = tf.customGrad((x) => ({
    value: tf.clone(x as tf.Tensor),
    gradFunc: () => fail('no gradient'),
  }));

  test('at its first op: nothing has changed', () => {
    const { weights, x, loss } = stack(4);
    const optimizer = sgd({ gradients: 'release' });
    const [values, before] = [weights.map(valuesOf), tf.memory().numTensors];
    const error = caught(() => optimizer.minimize(() => failing(loss()) as tf.Scalar));
    expect(error.message).toBe('no gradient');
    expect(weights.map(valuesOf)).toEqual(values);
    expect([optimizer.iterations, tf.memory().numTensors]).toEqual([0, before]);
    tf.dispose([x, ...weights]);
  });

  test('half way: an error that says how many weights are updated', () => {
    const a = tf.tidy(() => tf.variable(tf.scalar(3)));
    const b = tf.tidy(() => tf.variable(tf.scalar(2)));
    const optimizer = sgd({ learningRate: 1, gradients: 'release' });
    const before = tf.memory().numTensors;
    const error = caught(() =>
      optimizer.minimize(() => tf.mul(failing(tf.square(a)), b) as tf.Scalar, true),
    );
    expect(error).toBeInstanceOf(SlowlaneError);
    expect(error).toMatchObject({ code: 'STEP_FAILED', details: { changed: 1, of: 2 } });
    expect(error.message).toContain('no gradient');
    expect([valuesOf(a), valuesOf(b)]).toEqual([[3], [2 - 9]]);
    expect([optimizer.iterations, tf.memory().numTensors]).toEqual([0, before]);
    tf.dispose([a, b]);
  });

  test('a custom gradient that reads an updated weight behind the back of the tape', () => {
    const a = tf.tidy(() => tf.variable(tf.scalar(3)));
    const b = tf.tidy(() => tf.variable(tf.scalar(2)));
    const hidden = tf.customGrad((x) => ({
      value: tf.mul(x as tf.Tensor, b),
      gradFunc: (dy) => tf.mul(dy, b),
    }));
    const optimizer = sgd({ learningRate: 1, gradients: 'release' });
    const loss = () => tf.mul(hidden(a), b) as tf.Scalar;
    expect(caught(() => optimizer.minimize(loss)).message).toContain(`reads '${b.name}', which`);
    expect(Object.hasOwn(tf.engine(), 'runKernel')).toBe(false);
    tf.dispose([a, b]);
  });
});

test('options: one of two words, not with clipNorm, saved', () => {
  expect(() => adam({ gradients: 'released' as never })).toThrow(
    `gradients must be 'keep' or 'release', got "released" (string). Did you mean 'release'?`,
  );
  expect(() => adam({ gradients: 'release', clipNorm: 1 })).toThrow(
    "clipNorm needs the gradients of all weights at once, which gradients: 'release' never has.",
  );
  expect(adam({ gradients: 'keep', clipNorm: 1 }).getConfig()).not.toHaveProperty('gradients');
  const config = sgd({ gradients: 'release', clipValue: 1 }).getConfig();
  expect(config).toEqual({ learningRate: 0.01, clipValue: 1, gradients: 'release' });
});

test('applyGradients works as before, the gradients stay the caller’s: 3 → 1', () => {
  const x = tf.tidy(() => tf.variable(tf.scalar(3)));
  const gradient = tf.scalar(2);
  sgd({ learningRate: 1, gradients: 'release' }).applyGradients({ [x.name]: gradient });
  expect([valuesOf(x), valuesOf(gradient)]).toEqual([[1], [2]]);
  tf.dispose([x, gradient]);
});

function fail(message: string): never {
  throw new Error(message);
}

function caught(run: () => unknown): Error {
  try {
    run();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('It did not throw.');
}
