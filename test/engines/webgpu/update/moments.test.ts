// 8-bit moments in place: the kernel against plain numbers and against tensor operations on the cpu engine.

import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import { lookahead } from 'slowlane';
import type { UpdateCounts } from '#src/engines/webgpu/update/update-in-place.js';
import { updateInPlaceOn } from './in-place.js';
import { updateWeight } from '#src/engine/engine.js';
import { NEAREST, type QuantizedKind } from '#src/formula/quantization.js';
import type { Assignment } from '#src/formula/update-rule.js';
import { adagrad, adam, rmsprop } from '#src/optimizers/index.js';
import type { WeightwiseOptimizer } from '#src/optimizers/weightwise.js';
import { bytesIn, quantizeNumbers, spread } from '../../../formula/quantization-reference.js';
import {
  type Backend,
  type Make,
  RULES,
  eachWithFreshCounts,
  noise,
  portably,
  relativeDifference,
  variableOf,
} from './webgpu.js';
import { watched } from './watched.js';

let backend: Backend;
let counts: UpdateCounts;
eachWithFreshCounts((started, fresh) => {
  backend = started;
  counts = fresh;
});

const WITH_STATE = RULES.filter(([, slots]) => slots > 0);
const q8 = { moments: 'device:q8' } as const;

/** The weight and the decoded slots after steps with four gradients in turn. */
async function trained(optimizer: WeightwiseOptimizer, size: number, steps: number) {
  const weight = variableOf(noise(size, 99));
  const gradients = [1, 2, 3, 4].map((seed) => tf.tensor1d(noise(size, seed)));
  try {
    for (let step = 0; step < steps; step++) {
      optimizer.applyGradients([{ name: weight.name, tensor: gradients[step % 4] ?? null }]);
    }
    const values = [(await weight.data<'float32'>()).slice()];
    for (const { tensor } of (await optimizer.getWeights()).slice(1)) {
      values.push((await tensor.data<'float32'>()).slice());
    }
    return values;
  } finally {
    optimizer.dispose();
    tf.dispose([weight, ...gradients]);
  }
}

async function onCpu<T>(run: () => Promise<T>): Promise<T> {
  await tf.setBackend('cpu');
  try {
    return await run();
  } finally {
    await tf.setBackend('webgpu');
  }
}

const copyInto = (target: 'm' | 'v'): Assignment<'m' | 'v', never> => ({
  target,
  value: ({ gradient }) => gradient,
});

/** Adam's state, quantized by the kernel from these values, as words and scales. */
async function loaded(m: Float32Array, v: Float32Array) {
  const weight = tf.tidy(() => tf.variable(tf.zeros([m.length]), true, 'loaded'));
  const optimizer = adam(q8);
  optimizer.adopt([weight]);
  const known = tf.engine().registeredVariables;
  const state = new Map(['m', 'v'].map((name) => [name, known[`loaded/${name}`] as tf.Variable]));
  const kinds = new Map([
    ['m', 'signed'],
    ['v', 'positive'],
  ] as const);
  for (const [target, values] of [
    ['m', m],
    ['v', v],
  ] as const) {
    updateWeight({
      rule: null,
      formula: [copyInto(target)],
      weight,
      state,
      quantized: { scales: known['loaded/scales'] as tf.Variable, kinds },
      rounding: NEAREST,
      gradient: tf.tensor1d(values),
      takesGradient: true,
      clip: { by: 'nothing' },
      scalars: {},
    });
  }
  const data = async (name: string) => tf.engine().registeredVariables[name]?.data();
  const [words, scales] = [
    [await data('loaded/m'), await data('loaded/v')],
    await data('loaded/scales'),
  ];
  const saved = await optimizer.getWeights();
  const back = await Promise.all(saved.slice(1).map(({ tensor }) => tensor.data<'float32'>()));
  optimizer.dispose();
  weight.dispose();
  return { words: words as Int32Array[], scales: scales as Float32Array, back };
}

describe('the code of the kernel', () => {
  test.each([4096, 4097, 5000, 70_000])('%i elements as in plain numbers', async (size) => {
    const values = { signed: spread(size, 'signed'), positive: spread(size, 'positive') };
    values.signed.subarray(512, 768).fill(0);
    const { words, scales } = await loaded(values.signed, values.positive);
    for (const [s, code] of (['signed', 'positive'] as QuantizedKind[]).entries()) {
      const expected = quantizeNumbers(code, values[code]);
      const blocks = expected.scales.length;
      expect(scales.slice(s * blocks, (s + 1) * blocks)).toEqual(expected.scales);
      const found = bytesIn(words[s] ?? new Int32Array(), size);
      const differing = bytesIn(expected.words, size).filter((byte, i) => byte !== found[i]);
      // SwiftShader's roots and quotients are not those of JavaScript; a byte differs only at a tie.
      expect(differing.length).toBeLessThanOrEqual(size / 1000);
      for (const [i, byte] of bytesIn(expected.words, size).entries()) {
        expect(Math.abs(((byte - (found[i] ?? NaN)) << 24) >> 24)).toBeLessThanOrEqual(1);
      }
    }
  });

  test.each([1e-37, 1e38, 3.4e38])('at a scale of %f', async (scale) => {
    const values = { signed: spread(4096, 'signed', 3), positive: spread(4096, 'positive', 3) };
    for (const code of ['signed', 'positive'] as const) {
      values[code] = values[code].map((x) => x * scale);
    }
    const { words, scales, back } = await loaded(values.signed, values.positive);
    for (const [s, code] of (['signed', 'positive'] as QuantizedKind[]).entries()) {
      const expected = quantizeNumbers(code, values[code]);
      expect(scales.slice(s * 16, (s + 1) * 16)).toEqual(expected.scales);
      // SwiftShader takes numbers below 2⁻¹²⁶ for 0, where 1e-37 leaves little room.
      const least = scale < 1 ? 2 ** -126 : 0;
      const found = bytesIn(words[s] ?? new Int32Array(), 4096);
      for (const [i, byte] of bytesIn(expected.words, 4096).entries()) {
        if (Math.abs(values[code][i] ?? 0) < least) continue;
        expect(Math.abs(((byte - (found[i] ?? NaN)) << 24) >> 24)).toBeLessThanOrEqual(1);
      }
      expect(back[s]?.every(Number.isFinite)).toBe(true);
    }
  });

  test('a NaN or an infinity spoils its block alone', async () => {
    const m = new Float32Array(4096).fill(0.5);
    const v = new Float32Array(4096).fill(0.5);
    m[300] = NaN;
    v[700] = Infinity;
    const { scales, back } = await loaded(m, v);
    expect([...scales].map(Number.isFinite)).toEqual(
      Array.from({ length: 32 }, (_, i) => i !== 1 && i !== 16 + 2),
    );
    expect(back[0]?.subarray(512)).toEqual(m.subarray(512));
    expect(back[0]?.subarray(256, 512).some(Number.isFinite)).toBe(false);
  });
});

describe.each(WITH_STATE)('%s', (_, slots, make) => {
  test.each([4096, 4097, 5000])('%i elements: in place as with tensors', async (size) => {
    for (const clip of [{}, { clipValue: 0.3 }]) {
      const inPlace = await trained(make({ ...q8, ...clip }), size, 3);
      const plain = await onCpu(() => trained(make({ ...q8, ...clip }), size, 3));
      expect(inPlace).toHaveLength(1 + slots);
      // A byte that went the other way at a tie is 1.6 % of a moment or less; there are few.
      for (const [i, values] of plain.entries()) {
        const found = inPlace[i] ?? new Float32Array();
        expect(relativeDifference(values, found)).toBeLessThanOrEqual(0.05);
        const far = values.filter(
          (x, j) => Math.abs(x - (found[j] ?? NaN)) > 1e-5 * Math.abs(x) + 1e-7,
        );
        expect(far.length / size).toBeLessThanOrEqual(0.01);
      }
    }
  });

  test('clipped by the norm, with all of its bindings', async () => {
    const inPlace = await trained(make({ ...q8, clipNorm: 0.5 }), 4097, 1);
    const plain = await onCpu(() => trained(make({ ...q8, clipNorm: 0.5 }), 4097, 1));
    for (const [i, values] of plain.entries()) {
      expect(relativeDifference(values, inPlace[i] ?? new Float32Array())).toBeLessThanOrEqual(
        0.05,
      );
    }
  });

  test('one dispatch a weight, no new buffer, no copy', () => {
    const weights = [5000, 4096, 100].map((size) => variableOf(noise(size, size)));
    const gradients = weights.map(({ size }) => tf.tensor1d(noise(size, 7)));
    const optimizer = make(q8);
    const step = () =>
      optimizer.applyGradients(
        weights.map(({ name }, i) => ({ name, tensor: gradients[i] ?? null })),
      );
    for (let i = 0; i < 12; i++) step(); // fills the pool
    const before = counts.dispatches;
    const { dispatches, newBuffers, reads } = watched(backend, () => {
      for (let i = 0; i < 10; i++) step();
    });
    expect({ dispatches, newBuffers, reads }).toEqual({ dispatches: 30, newBuffers: 0, reads: 0 });
    expect(counts).toMatchObject({ dispatches: before + 30, copies: 0 });
    optimizer.dispose();
    tf.dispose(gradients);
  });
});

test('70,000 elements, and in two dimensions', async () => {
  const inOneRow = await trained(adam(q8), 70_000, 2);
  const plain = await onCpu(() => trained(adam(q8), 70_000, 2));
  for (const [i, values] of plain.entries()) {
    expect(relativeDifference(values, inOneRow[i] ?? new Float32Array())).toBeLessThanOrEqual(0.05);
  }
  updateInPlaceOn(backend, 17); // 274 blocks: 17 rows of 17
  expect(await trained(adam(q8), 70_000, 2)).toEqual(inOneRow);
  await expect(trained(adam(q8), 80_000, 1)).rejects.toThrow(RangeError); // 313 blocks
});

test('bytes on the device: 1 + 4/256 an element and moment', () => {
  const weight = variableOf(noise(65_536, 1));
  backend.uploadToGPU(weight.dataId);
  watched(backend, () => undefined); // submits what was recorded
  const optimizer = adam(q8);
  const before = backend.bufferManager.numBytesUsed;
  watched(backend, () => optimizer.adopt([weight]));
  watched(backend, () => undefined);
  expect(backend.bufferManager.numBytesUsed - before).toBe(2 * (65_536 + (4 * 65_536) / 256));
  optimizer.dispose();
});

describe('state', () => {
  const makes: [string, Make][] = [
    ['adam', (options) => adam(options)],
    ['adagrad', (options) => adagrad(options)],
    ['rmsprop', (options) => rmsprop({ momentum: 0.5, ...options })],
  ];
  test.each(makes)('%s goes on bit for bit from a saved state', async (_, make) => {
    const gradients = [1, 2, 3, 4].map((seed) => tf.tensor1d(noise(5000, seed)));
    const steps = (optimizer: tf.Optimizer, weight: tf.Variable) => {
      for (const tensor of gradients) optimizer.applyGradients([{ name: weight.name, tensor }]);
    };
    const weight = variableOf(noise(5000, 9));
    const original = make(q8);
    steps(original, weight);
    const saved = await original.getWeights();
    const again = tf.tidy(() => tf.variable(tf.clone(weight)));
    const restored = make(q8);
    await restored.setWeights(saved);
    steps(original, weight);
    steps(restored, again);
    expect(await again.data()).toEqual(await weight.data());
    const values = async (of: WeightwiseOptimizer) =>
      Promise.all((await of.getWeights()).slice(1).map(({ tensor }) => tensor.data()));
    expect(await values(restored)).toEqual(await values(original));
    original.dispose();
    restored.dispose();
    tf.dispose(gradients);
  });

  test('a step before the state was read: the saving is refused, and the next one has both steps', async () => {
    const weight = variableOf(noise(5000, 9));
    const gradient = tf.tensor1d(noise(5000, 1));
    const optimizer = adam(q8);
    const step = () => optimizer.applyGradients({ [weight.name]: gradient });
    step();
    const first = async () => {
      const [, m] = await optimizer.getWeights();
      return (await m?.tensor.data<'float32'>())?.[0] ?? NaN;
    };
    const before = await first();
    const saving = optimizer.getWeights();
    step();
    await expect(saving).rejects.toMatchObject({ code: 'SYNC_RUNNING' });
    expect((await first()) / before).toBeGreaterThan(1.85); // m = 0.1 g, then 0.19 g
    optimizer.dispose();
    gradient.dispose();
  });

  test('lookahead syncs and resets', async () => {
    const weight = variableOf(noise(4096, 1));
    const optimizer = lookahead(adam(q8), { syncPeriod: 2, innerState: 'reset' });
    const loss = () => tf.mul<tf.Scalar>(tf.sum(tf.square(weight)), 0.5);
    for (let i = 0; i < 4; i++) await optimizer.step(loss, false, [weight]);
    expect(optimizer.stats().syncs).toBe(2);
    const moments = (await optimizer.getWeights()).filter(({ name }) => /\/[mv]$/.test(name));
    expect(moments).toHaveLength(2);
    for (const { tensor } of moments)
      expect((await tensor.data()).every((x) => x === 0)).toBe(true);
    optimizer.dispose();
  });
});

test('tfjs’s own backend rounds whole numbers: refused before anything changes', async () => {
  const weight = variableOf(noise(4096, 1));
  const gradient = tf.tensor1d(noise(4096, 2));
  const optimizer = adam(q8);
  await portably(backend, async () => {
    expect(() => optimizer.applyGradients({ [weight.name]: gradient })).toThrow(
      expect.objectContaining({
        code: 'UNSUPPORTED',
        message: expect.stringMatching(/startWebGPU/) as string,
      }),
    );
  });
  expect(await weight.data()).toEqual(noise(4096, 1));
  optimizer.dispose();
  gradient.dispose();
});
