// Overrides: weights with a place, a precision or a step size of their own, and weights that are excluded.

import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import fc from 'fast-check';
import {
  adam,
  Lookahead,
  loadTraining,
  lookahead,
  type LookaheadOptions,
  momentum,
  saveTraining,
  sgd,
  type SlowFormat,
} from 'slowlane';
import { afterEach, expect, test, vi } from 'vitest';

import { SLOW_FORMATS } from '#src/slow/slow-format.js';

import { halfSquare, noise, onEveryEngine, slowOf, valuesOf } from '../../engines.js';

/** Three weights that are quantized, one of them in several chunks, and one that is too small. */
const SHAPES = [
  [64, 64],
  [71, 67],
  [20, 20],
  [64, 65],
];

let runs = 0;

/** Trains ½x² of each weight; weight i has the format `formats[i]` by an override, and `slow` otherwise. */
async function train(
  slow: SlowFormat,
  formats: readonly (SlowFormat | undefined)[],
  resumeAt = Infinity,
  options: LookaheadOptions = {},
) {
  const run = runs++;
  const nameOf = (i: number) => `w${run}_${i}`;
  const weights = SHAPES.map((shape, i) =>
    tf.tidy(() => tf.variable(noise(shape, i + 1), true, nameOf(i))),
  );
  const make = () =>
    lookahead(momentum({ learningRate: 0.05 }), {
      slow,
      overrides: formats.flatMap((own, i) => (own ? [{ weights: nameOf(i), slow: own }] : [])),
      syncPeriod: 3,
      innerState: 'interpolate',
      chunkBytes: 8192,
      workers: 0,
      ...options,
    });
  let optimizer = make();
  const loss = () => tf.addN(weights.map(halfSquare)) as tf.Scalar;
  for (let step = 0; step < 8; step++) {
    if (step === resumeAt) {
      const next = make();
      await next.setWeights(await optimizer.getWeights());
      optimizer.dispose();
      optimizer = next;
    }
    await optimizer.step(loss, false, weights);
  }
  const { host, device, workers } = optimizer.stats();
  const result = { fast: weights.map(valuesOf), slow: await slowOf(optimizer) };
  await optimizer.discard();
  expect(weights.map(valuesOf)).toEqual(result.slow);
  optimizer.dispose();
  tf.dispose(weights);
  return { ...result, slowBytes: host.slowBytes, deviceBytes: device.stagingBytes, workers };
}

afterEach(() => vi.restoreAllMocks());

onEveryEngine(() => {
  test('any mix of formats gives each weight the bits of a Lookahead that uses its format for all', async () => {
    const uniform = new Map<SlowFormat, Awaited<ReturnType<typeof train>>>();
    for (const format of SLOW_FORMATS) uniform.set(format, await train(format, []));
    const { numTensors } = tf.memory();
    const format = fc.constantFrom(...SLOW_FORMATS);
    const mix = fc.array(fc.option(format, { nil: undefined }), { maxLength: SHAPES.length });
    await fc.assert(
      fc.asyncProperty(format, mix, fc.nat(8), async (slow, formats, resumeAt) => {
        const mixed = await train(slow, formats, resumeAt);
        for (const i of SHAPES.keys()) {
          const alone = uniform.get(formats[i] ?? slow);
          expect(mixed.fast[i]).toEqual(alone?.fast[i]);
          expect(mixed.slow[i]).toEqual(alone?.slow[i]);
        }
      }),
      { numRuns: 8 },
    );
    expect(tf.memory().numTensors).toBe(numTensors);
  }, 60_000);

  test('the numbers of stats() add up', async () => {
    const few = { innerState: 'maintain' } as const;
    const { slowBytes, deviceBytes, workers } = await train(
      'host:f16',
      ['device:f32', 'host:int8', 'host:int8'],
      Infinity,
      few,
    );
    // On the device 4,096 floats; on the host 4,757 in blocks of 260 bytes, 400 floats and 4,160 halves. A chunk of
    // 8,192 bytes holds 2,048 elements, so 4,757 are 8 + 8 + 3 blocks.
    expect(deviceBytes).toBe(4096 * 4);
    expect(slowBytes).toBe(19 * 260 + 400 * 4 + 4160 * 2);
    expect(workers).toBe('device and inline');
  });

  const two = (options: LookaheadOptions = {}) => {
    const run = runs++;
    const weights = ['a', 'b'].map((name, i) =>
      tf.tidy(() => tf.variable(noise([64, 64], i + 1), true, `${name}${run}`)),
    ) as [tf.Variable, tf.Variable];
    const optimizer = lookahead(sgd({ learningRate: 0.1 }), {
      slow: 'host:f16',
      overrides: [{ weights: `b${run}`, slow: 'device:f32' }],
      syncPeriod: 1,
      workers: 0,
      ...options,
    });
    const loss = () => tf.addN(weights.map(halfSquare)) as tf.Scalar;
    return { weights, optimizer, loss };
  };

  test('a device that fails between the two places: the sync is resumed, and blends nothing twice', async () => {
    const run = async (isFailing: boolean) => {
      const { weights, optimizer, loss } = two();
      await optimizer.attach(weights);
      optimizer.minimize(loss, false, weights);
      if (isFailing) {
        vi.spyOn(weights[1], 'assign').mockImplementationOnce(() => {
          throw new Error('the device failed');
        });
        await expect(optimizer.sync()).rejects.toThrow('the device failed');
        expect(() => optimizer.minimize(loss, false, weights)).toThrow('sync()');
      }
      await optimizer.sync();
      expect(optimizer.stats().syncs).toBe(1);
      const result = [weights.map(valuesOf), await slowOf(optimizer)];
      optimizer.dispose();
      tf.dispose(weights);
      return result;
    };
    expect(await run(true)).toEqual(await run(false));
  });

  test.each([0, 1])(
    'NaN in weight %i is found before any weight of either place moves',
    async (i) => {
      const { weights, optimizer, loss } = two({ replaced: 'ignore' });
      await optimizer.attach(weights);
      const slow = await slowOf(optimizer);
      optimizer.minimize(loss, false, weights);
      const bad = weights[i] as tf.Variable;
      tf.tidy(() => bad.assign(tf.fill([64, 64], NaN)));
      const fast = weights.map(valuesOf);
      await expect(optimizer.sync()).rejects.toMatchObject({
        code: 'NON_FINITE',
        details: { weight: bad.name },
      });
      expect(weights.map(valuesOf)).toEqual(fast);
      await optimizer.discard();
      expect(weights.map(valuesOf)).toEqual(slow);
      optimizer.dispose();
      tf.dispose(weights);
    },
  );

  test('exclude: the inner optimizer alone trains these weights; an entry before it protects a weight', async () => {
    const run = runs++;
    const [a, b] = ['a', 'b'].map((name) => tf.variable(tf.tensor1d([0]), true, `x${run}/${name}`));
    const optimizer = lookahead(sgd({ learningRate: 1 }), {
      syncPeriod: 2,
      overrides: [
        { weights: `x${run}/a`, exclude: false },
        { weights: `x${run}`, exclude: true },
      ],
      workers: 0,
    });
    const weights = [a, b] as [tf.Variable, tf.Variable];
    const loss = () => tf.addN(weights.map((x) => tf.sum(x))) as tf.Scalar;
    for (let i = 0; i < 2; i++) await optimizer.step(loss, false, weights);
    expect(weights.map(valuesOf)).toEqual([[-1], [-2]]); // a: half of −2; b: all of it
    optimizer.dispose();
    tf.dispose(weights);
  });

  test('a plan decides the slow weights that no override sets', async () => {
    const { weights } = two();
    const planned = lookahead(adam(), {
      vramBudget: 160 * 1024,
      overrides: [{ weights: weights[1].name, slow: 'host:int8' }],
      workers: 0,
    });
    await planned.attach(weights);
    const slow = planned.plan?.pick?.policy.slow;
    expect(planned.plan?.overrides).toMatchObject([{ slow: 'host:int8', count: 1 }]);
    expect(slow).toBe('host:f16');
    expect(planned.stats().host.slowBytes).toBe(4096 * 2 + 16 * 260);
    expect(planned.getConfig()).toMatchObject({ slow, vramBudget: null });
    planned.dispose();
    tf.dispose(weights);
  });
});

const tiny = () =>
  tfl.sequential({
    layers: [tfl.layers.dense({ units: 2, inputShape: [3], name: `dense_of_${runs++}` })],
  });

test('an override that matches no weight of a model is refused before anything changes', async () => {
  const model = tiny();
  const overrides = [{ weights: 'dens', slow: 'host:f16' as const }];
  const optimizer = lookahead(sgd(), { overrides, workers: 0 });
  model.compile({ optimizer, loss: 'meanSquaredError' });
  const refusal = {
    code: 'UNMATCHED_OVERRIDE',
    message: expect.stringMatching(
      /overrides\[0\] matches no weight: 'dens' .* nearest are 'dense_of/,
    ),
  };
  const before = model.getWeights().map(valuesOf);
  const { numTensors } = tf.memory();
  await expect(optimizer.attach(model)).rejects.toMatchObject(refusal);
  const [x, y] = [tf.ones([4, 3]), tf.ones([4, 2])];
  const callbacks = optimizer.callbacks();
  await expect(model.fit(x, y, { callbacks, verbose: 0 })).rejects.toMatchObject(refusal);
  tf.dispose([x, y]);
  expect(tf.memory().numTensors).toBe(numTensors);
  expect(model.getWeights().map(valuesOf)).toEqual(before);
  expect(optimizer.iterations).toBe(0);
  optimizer.dispose();
});

test('in a loop of your own it is one warning, at the first sync', async () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  const weight = tf.variable(tf.tensor1d([1]), true, `loop_${runs++}`);
  const step = async (optimizer: Lookahead) => {
    await optimizer.step(() => halfSquare(weight), false, [weight]);
  };
  const make = (weights: string | RegExp) =>
    lookahead(sgd(), { syncPeriod: 2, overrides: [{ weights, slowStepSize: 1 }], workers: 0 });
  const typo = make(/lop_/);
  await step(typo);
  expect(warn).not.toHaveBeenCalled();
  for (let i = 0; i < 5; i++) await step(typo);
  expect(warn.mock.calls).toEqual([
    [expect.stringContaining(`overrides[0] matches no weight: /lop_/`)],
  ]);
  const right = make(/loop_/);
  for (let i = 0; i < 4; i++) await step(right);
  // An excluded weight is matched, too.
  const excluding = lookahead(sgd(), {
    syncPeriod: 1,
    overrides: [{ weights: weight.name, exclude: true }],
    workers: 0,
  });
  const other = tf.variable(tf.tensor1d([1]));
  const both = () => tf.add<tf.Scalar>(halfSquare(weight), halfSquare(other));
  await excluding.step(both, false, [weight, other]);
  expect(excluding.stats().syncs).toBe(1);
  expect(warn).toHaveBeenCalledTimes(1);
  for (const one of [typo, right, excluding]) one.dispose();
  tf.dispose([weight, other]);
});

test('a config keeps overrides', () => {
  const optimizer = lookahead(sgd(), {
    overrides: [
      { weights: 'embedding_1', slow: 'host:int8' },
      { weights: /bias$/i, slowStepSize: 1 },
      { weights: 'head', exclude: true },
    ],
  });
  const config = JSON.parse(JSON.stringify(optimizer.getConfig())) as tf.serialization.ConfigDict;
  expect(JSON.stringify(config['overrides'])).not.toContain('_'); // tfjs would camel-case it
  const next = Lookahead.fromConfig(Lookahead as never, config) as unknown as Lookahead;
  expect(next.getConfig()).toEqual(optimizer.getConfig());
});

test('a weight that is excluded for a while forgets its restored slow value', async () => {
  await tf.setBackend('cpu');
  const a = tf.variable(tf.scalar(0), true, 'stage/a');
  const b = tf.variable(tf.scalar(0), true, 'stage/b');
  const loss = () => tf.add(a, b) as tf.Scalar; // each step: −1
  let saved: Uint8Array | null = null;
  const stage = async (steps: number, options: LookaheadOptions = {}) => {
    const optimizer = lookahead(sgd({ learningRate: 1 }), {
      syncPeriod: 2,
      workers: 0,
      slowStepSize: 1,
      ...options,
    });
    if (saved !== null) await loadTraining(saved, optimizer, [a, b]);
    for (let i = 0; i < steps; i++) await optimizer.step(loss, false, [a, b]);
    saved = await saveTraining(optimizer, [a, b]);
    return optimizer;
  };
  (await stage(2)).dispose(); // both −1·2
  (await stage(10, { overrides: [{ weights: 'stage/a', exclude: true }] })).dispose();
  const optimizer = await stage(0); // without the override: slow of a := its value now
  await optimizer.attach([a, b]);
  await optimizer.withSlowWeights(() => {
    expect([...valuesOf(a), ...valuesOf(b)]).toEqual([-12, -12]);
  });
  optimizer.dispose();
  const all = lookahead(sgd({ learningRate: 1 }), {
    syncPeriod: 2,
    workers: 0,
    overrides: [{ weights: 'stage', exclude: true }],
  });
  await loadTraining(saved!, all, [a, b]);
  await all.step(loss, false, [a, b]);
  await all.finish(); // nothing waits for a weight
  expect(valuesOf(a)).toEqual([-13]);
  all.dispose();
  tf.dispose([a, b]);
});

test('a frozen layer may have an override', async () => {
  await tf.setBackend('cpu');
  const [base, top] = [
    tfl.layers.dense({ units: 2, inputShape: [2], name: 'frozen_base' }),
    tfl.layers.dense({ units: 1 }),
  ];
  base.trainable = false;
  const model = tfl.sequential({ layers: [base, top] });
  const optimizer = lookahead(
    adam({ overrides: [{ weights: 'frozen_base', moments: 'device:q8' }] }),
    { workers: 0, overrides: [{ weights: 'frozen_base', slow: 'host:f16' }] },
  );
  model.compile({ optimizer, loss: 'meanSquaredError' });
  const [x, y] = [tf.ones([4, 2]), tf.ones([4, 1])];
  await model.fit(x, y, { epochs: 1, verbose: 0, callbacks: optimizer.callbacks() });
  expect(optimizer.iterations).toBe(1);
  optimizer.dispose();
  tf.dispose([x, y]);
});
