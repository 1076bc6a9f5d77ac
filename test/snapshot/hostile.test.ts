// Damaged and hostile files whose checksum is right: each load is all or nothing, without a hang, in bounded memory.
//
// SLOWLANE_MUTATIONS=20000 npx vitest run test/snapshot/hostile.test.ts runs more of them.

import * as tf from '@tensorflow/tfjs-core';
import {
  adam,
  loadTraining,
  lookahead,
  momentum,
  type SavableOptimizer,
  saveTraining,
} from 'slowlane';
import { beforeAll, describe, expect, test } from 'vitest';

import '../engines.js';
import { noise } from '../engines.js';
import { mutated, randomFrom, withChecksum } from './mutations.js';

const MUTATIONS = Number(process.env['SLOWLANE_MUTATIONS'] ?? 700);

interface Training extends SavableOptimizer {
  minimize(f: () => tf.Scalar, returnCost: boolean, varList: tf.Variable[]): tf.Scalar | null;
  step?(f: () => tf.Scalar, returnCost: boolean, varList: tf.Variable[]): Promise<unknown>;
}

const KINDS: Record<string, () => Training> = {
  'host:f32': () => lookahead(adam(), { syncPeriod: 5, workers: 0 }),
  'host:int8, interpolate': () =>
    lookahead(momentum(), {
      syncPeriod: 2,
      workers: 0,
      slow: 'host:int8',
      innerState: 'interpolate',
    }),
  'moments device:q8': () =>
    lookahead(adam({ moments: 'device:q8' }), { syncPeriod: 5, workers: 0 }),
  'tf.train.adam inside': () => lookahead(tf.train.adam(0.01), { syncPeriod: 5, workers: 0 }),
  adam: () => adam(),
  'tf.train.adam': () => tf.train.adam(0.01),
};

const SHAPES = [[3], [3], [2, 2]];
const loss = (weights: readonly tf.Variable[]) => () =>
  tf.addN(weights.map((w) => tf.sum(tf.square(w)))) as tf.Scalar;

async function trained(make: () => Training, steps: number, names: string, shapes = SHAPES) {
  const weights = shapes.map((shape, i) =>
    tf.tidy(() => tf.variable(noise(shape, i + 1), true, `${names}/${i}`)),
  );
  const optimizer = make();
  for (let i = 0; i < steps; i++) {
    if (optimizer.step) await optimizer.step(loss(weights), false, weights);
    else optimizer.minimize(loss(weights), false, weights);
  }
  return { weights, optimizer };
}

/** Every bit of weights, state and counters. */
async function bitsOf({ weights, optimizer }: Awaited<ReturnType<typeof trained>>) {
  const state = await optimizer.getWeights();
  const all = [...weights, ...state.map(({ tensor }) => tensor)].map((tensor) => {
    const { buffer, byteOffset, byteLength } = tensor.dataSync();
    return Buffer.from(buffer, byteOffset, byteLength).toString('hex');
  });
  const [first] = state;
  if (first?.name === 'iter') first.tensor.dispose(); // tfjs's own, which nobody else frees
  return [optimizer.iterations, ...state.map(({ name }) => name), ...all].join('\n');
}

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe.each(Object.keys(KINDS))('%s', (kind) => {
  const count = Math.ceil(MUTATIONS / Object.keys(KINDS).length);
  test(`${count} mutations`, { timeout: 600_000 }, async () => {
    const make = KINDS[kind] as () => Training;
    const names = `hostile/${kind}`;
    const source = await trained(make, 3, names);
    const good = await saveTraining(source.optimizer, source.weights);
    tf.dispose(source.weights);
    const target = await trained(make, 4, names);
    const original = await saveTraining(target.optimizer, target.weights);
    let before = await bitsOf(target);
    const { numTensors } = tf.memory();
    const random = randomFrom(kind.length);
    const outcomes = { refused: 0, taken: 0 };
    let longestMs = 0;
    for (let i = 0; i < count; i++) {
      const bytes = mutated(good, random);
      const started = performance.now();
      const error: unknown = await loadTraining(bytes, target.optimizer, target.weights).then(
        () => null,
        (cause: unknown) => cause,
      );
      longestMs = Math.max(longestMs, performance.now() - started);
      if (error === null) {
        outcomes.taken++;
        await loadTraining(original, target.optimizer, target.weights);
        before = await bitsOf(target);
      } else {
        outcomes.refused++;
        expect(error).toMatchObject({ code: 'STATE_MISMATCH' });
        expect(await bitsOf(target)).toBe(before);
      }
      if (kind !== 'tf.train.adam') expect(tf.memory().numTensors).toBe(numTensors);
    }
    expect(outcomes.refused).toBeGreaterThan(count / 2);
    if (process.env['SLOWLANE_MUTATIONS']) console.log(kind, outcomes, `longest ${longestMs} ms`);
  });
});

// Counted is all that is allocated, freed or not. So kinds that quantize are left out: their temporaries would count.
const PLAIN = Object.keys(KINDS).filter((kind) => !/int8|q8/.test(kind));

test.each(PLAIN)('%s: a load takes no more than 4 times its file', async (kind) => {
  const make = KINDS[kind] as () => Training;
  const source = await trained(make, 3, `large/${kind}`, [[200, 300], [3]]);
  const good = await saveTraining(source.optimizer, source.weights);
  const random = randomFrom(2);
  let most = 0;
  for (let i = 0; i < Math.ceil(MUTATIONS / 100); i++) {
    const bytes = i === 0 ? good : mutated(good, random);
    const before = process.memoryUsage();
    await loadTraining(bytes, source.optimizer, source.weights).catch(() => null);
    const after = process.memoryUsage();
    const taken = after.heapUsed - before.heapUsed + after.arrayBuffers - before.arrayBuffers;
    if (bytes.length > 2 ** 18) most = Math.max(most, taken / bytes.length);
    expect(taken).toBeLessThan(4 * bytes.length + 2 ** 20);
    await loadTraining(good, source.optimizer, source.weights);
  }
  if (process.env['SLOWLANE_MUTATIONS']) console.log(kind, `at most ${most} × the file`);
});

test('millions of tiny objects with a right checksum: refused before one is made', async () => {
  const [w] = [tf.variable(tf.ones([1]))];
  const good = await saveTraining(adam(), [w]);
  const text = Buffer.from(good);
  const weights = text.indexOf('weights') + 'weights'.length;
  const many = 4e6;
  const list = Uint8Array.of(0xdd, many >>> 24, (many >> 16) & 255, (many >> 8) & 255, many & 255);
  const file = (head: Uint8Array) => {
    const packed = new Uint8Array(head.length + many).fill(0x80);
    packed.set(head);
    return withChecksum(packed);
  };
  for (const bytes of [file(list), file(Buffer.concat([good.subarray(0, weights), list]))]) {
    const { heapUsed } = process.memoryUsage();
    await expect(loadTraining(bytes, adam(), [w])).rejects.toMatchObject({
      code: 'STATE_MISMATCH',
    });
    expect(process.memoryUsage().heapUsed - heapUsed).toBeLessThan(4 * bytes.length);
  }
});
