// What happens to NaN and infinity: detected before a sync changes anything.

import * as tf from '@tensorflow/tfjs-core';
import { adam, adaptive, lookahead, momentum, type NonFinitePolicy, sgd } from 'slowlane';
import { expect, test } from 'vitest';

import { firstNonFinite } from '#src/engines/finite.js';

import { halfSquare, onEveryEngine, valuesOf } from '../engines.js';

onEveryEngine(() => {
  const broken = (value: number, nonFinite: NonFinitePolicy) => {
    const [x, y] = [tf.variable(tf.tensor1d([1, 2])), tf.variable(tf.tensor1d([3]))];
    const optimizer = lookahead(adam({ learningRate: 1 }), {
      syncPeriod: 2,
      nonFinite,
      workers: 0,
    });
    const good = () => tf.add<tf.Scalar>(halfSquare(x), halfSquare(y));
    const bad = () => tf.add<tf.Scalar>(good(), tf.sum(tf.mul(y, value)));
    return { x, y, optimizer, good, bad, weights: [x, y] };
  };

  test.each([NaN, Infinity, -Infinity])(
    "%d with 'throw': names the weight, changes nothing, and discard() helps",
    async (value) => {
      const { x, y, optimizer, good, bad, weights } = broken(value, 'throw');
      await optimizer.step(good, false, weights);
      const step = optimizer.step(bad, false, weights);
      await expect(step).rejects.toThrow(
        new RegExp(`'${y.name}' holds a NaN or an infinity after step 2`),
      );
      const fast = valuesOf(x);
      await expect(optimizer.sync()).rejects.toMatchObject({ code: 'NON_FINITE' });
      expect(valuesOf(x)).toEqual(fast);
      await expect(optimizer.resync()).rejects.toMatchObject({ code: 'NON_FINITE' });
      await optimizer.discard();
      expect([...valuesOf(x), ...valuesOf(y)]).toEqual([1, 2, 3]);
      await optimizer.step(good, false, weights);
      await optimizer.step(good, false, weights); // Adam's moments are clean again
      expect([...valuesOf(x), ...valuesOf(y)].every(Number.isFinite)).toBe(true);
    },
  );

  test("'skip' leaves the sync out: slow weights stay, fast ones go on, and it is counted", async () => {
    const { x, y, optimizer, good, bad, weights } = broken(NaN, 'skip');
    await optimizer.step(good, false, weights);
    await optimizer.step(bad, false, weights);
    expect(valuesOf(y)).toEqual([NaN]);
    expect(optimizer.stats()).toMatchObject({ syncs: 0, skippedSyncs: 1 });
    await optimizer.withSlowWeights(() => expect(valuesOf(x)).toEqual([1, 2]));
    await optimizer.step(good, false, weights); // a new cycle, nothing is due
    expect(optimizer.stats()).toMatchObject({ syncs: 0, skippedSyncs: 1 });
  });

  test("'skip' begins a new cycle: with a NaN from step 2 on, syncs are left out after steps 2, 4 and 6", async () => {
    const x = tf.variable(tf.tensor1d([1]));
    const optimizer = lookahead(sgd({ learningRate: 1 }), {
      syncPeriod: 2,
      nonFinite: 'skip',
      workers: 0,
    });
    const skipped: number[] = [];
    for (let i = 1; i <= 6; i++) {
      const factor = i < 2 ? 1 : NaN;
      optimizer.minimize(() => tf.sum(tf.mul(x, factor)), false, [x]);
      expect(optimizer.due).toBe(i % 2 === 0);
      await optimizer.sync();
      expect(optimizer.due).toBe(false);
      skipped.push(optimizer.stats().skippedSyncs);
    }
    expect(skipped).toEqual([0, 1, 1, 2, 2, 3]);
  });

  test.each(
    (['throw', 'restore'] as const).flatMap((nonFinite) =>
      (['awaited', 'inline'] as const).map((sync) => [nonFinite, sync] as const),
    ),
  )(
    "an excluded weight, '%s', %s: it has no slow value, so the error says to give it another",
    async (nonFinite, sync) => {
      const [x, head] = [1, 5].map((value) => tf.tidy(() => tf.variable(tf.tensor1d([value]))));
      const weights = [x as tf.Variable, head as tf.Variable];
      const overrides = [{ weights: head!.name, exclude: true }];
      const options = { syncPeriod: 2, workers: 0, nonFinite, sync, overrides } as const;
      const optimizer = lookahead(sgd({ learningRate: 1 }), options);
      const step = (slope: number) =>
        optimizer.step(() => tf.sum(tf.mul(tf.addN(weights), slope)), false, weights);
      await step(1);
      head!.assign(tf.tensor1d([NaN])); // not ours to refuse
      await expect(step(1)).rejects.toMatchObject({
        code: 'NON_FINITE',
        message: expect.stringContaining('It is excluded, so there is no slow value'),
        details: { weight: head!.name, step: 2 },
      });
      expect(weights.map(valuesOf)).toEqual([[-1], [NaN]]);
      head!.assign(tf.tensor1d([7]));
      await optimizer.sync();
      expect(weights.map(valuesOf)).toEqual([[0], [7]]); // 1 − ½·2
      head!.assign(tf.tensor1d([Infinity]));
      head!.trainable = false; // it is nobody's business now
      await optimizer.step(() => tf.sum(x as tf.Variable), false, [x as tf.Variable]);
      await optimizer.step(() => tf.sum(x as tf.Variable), false, [x as tf.Variable]);
      expect(valuesOf(x as tf.Variable)).toEqual([-1]);
    },
  );

  test("'restore' goes back to the slow weights with a fresh inner state", async () => {
    const { x, y, optimizer, good, bad, weights } = broken(NaN, 'restore');
    await optimizer.step(good, false, weights);
    await optimizer.step(bad, false, weights);
    expect([...valuesOf(x), ...valuesOf(y)]).toEqual([1, 2, 3]);
    await optimizer.step(good, false, weights);
    // A fresh Adam steps by its learning rate: 1 → 0, 2 → 1, 3 → 2.
    [0, 1, 2].forEach((value, i) => {
      expect([...valuesOf(x), ...valuesOf(y)][i]).toBeCloseTo(value, 5);
    });
  });

  test('large finite weights are finite, though their sum is not', async () => {
    const big = tf.variable(tf.fill([8], 3e38));
    expect(await firstNonFinite([big])).toBe(null);
    const x = tf.variable(tf.fill([8], 3e38));
    const optimizer = lookahead(sgd({ learningRate: 0 }), { syncPeriod: 1, workers: 0 });
    await optimizer.step(() => tf.sum(tf.mul(x, 1e-38)), false, [x]);
    expect(valuesOf(x)).toEqual(valuesOf(big));
    expect(await firstNonFinite([big, tf.tensor1d([1, NaN])])).not.toBe(null);
    expect(await firstNonFinite([])).toBe(null);
  });
});

onEveryEngine(() => {
  test.each(['awaited', 'inline'] as const)(
    'the slow values of the slots begin at 0 again too, after a cycle that went well: %s',
    async (sync) => {
      const x = tf.variable(tf.tensor1d([0]));
      const optimizer = lookahead(momentum({ learningRate: 1, momentum: 0.5 }), {
        syncPeriod: 2,
        innerState: 'interpolate',
        nonFinite: 'restore',
        sync,
        workers: 0,
      });
      const step = async (factor: number) => {
        const loss = () => tf.sum(tf.mul(x, factor)) as tf.Scalar;
        if (sync === 'inline') optimizer.minimize(loss, false, [x]);
        else await optimizer.step(loss, false, [x]);
      };
      await step(1); // v = 1, x = −1
      await step(1); // v = 1.5, x = −2.5; sync: x = −1.25, v = 0.75
      expect(valuesOf(x)).toEqual([-1.25]);
      await step(NaN);
      await step(NaN);
      expect(valuesOf(x)).toEqual([-1.25]);
      await step(1); // v = 1, x = −2.25
      await step(1); // v = 1.5, x = −3.75; sync: x = −2.5, v = 0.75, and 1.125 with the old slow value
      await step(1); // v = 1.375
      expect(valuesOf(x)).toEqual([-2.5 - 1.375]);
    },
  );

  test('finish() after bare minimize does the sync that is due first: 0 → −2, half of the way back', async () => {
    const x = tf.variable(tf.tensor1d([0]));
    const optimizer = lookahead(sgd({ learningRate: 1 }), { syncPeriod: 2, workers: 0 });
    for (let i = 0; i < 2; i++) optimizer.minimize(() => tf.sum(x), false, [x]);
    await optimizer.finish();
    expect([valuesOf(x), optimizer.stats().syncs]).toEqual([[-1], 1]);
  });

  test("'restore' and discard() leave nothing of an old momentum, interpolated or not", async () => {
    const run = async (breaks: boolean) => {
      const x = tf.variable(tf.tensor1d([1]));
      const optimizer = lookahead(momentum({ learningRate: 0.1, momentum: 0.9 }), {
        syncPeriod: 2,
        innerState: 'interpolate',
        nonFinite: 'restore',
        workers: 0,
      });
      const bad = () => tf.mul<tf.Scalar>(halfSquare(x), NaN);
      if (breaks) {
        await optimizer.step(() => halfSquare(x), false, [x]);
        await optimizer.step(bad, false, [x]);
        expect(valuesOf(x)).toEqual([1]);
      }
      for (let i = 0; i < 6; i++) await optimizer.step(() => halfSquare(x), false, [x]);
      return valuesOf(x);
    };
    expect(await run(true)).toEqual(await run(false));
  });

  test('adaptive: a NaN in the gradient alone is found too', async () => {
    const x = tf.variable(tf.tensor1d([1]));
    let calls = 0;
    const optimizer = lookahead(adam({ learningRate: 0.1 }), {
      syncPeriod: 1,
      slowStepSize: adaptive(),
      workers: 0,
    });
    const step = optimizer.step(
      () => tf.mul<tf.Scalar>(halfSquare(x), calls++ === 0 ? 1 : NaN),
      false,
      [x],
    );
    await expect(step).rejects.toThrow(/the gradient of .* holds a NaN/);
    await optimizer.discard();
    expect(valuesOf(x)).toEqual([1]);
  });
});
