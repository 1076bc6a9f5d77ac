// Restored inner state counts from the moment its weight is known, before any step: whatever looks at all inner state,
// resets it or saves slow values of it goes on as the run that was saved.

import * as tf from '@tensorflow/tfjs-core';
import { type Lookahead, lookahead, loadTraining, momentum, saveTraining } from 'slowlane';
import { expect, test } from 'vitest';

import { onEveryEngine, valuesOf } from '../../engines.js';

type InnerState = 'maintain' | 'interpolate' | 'reset';

onEveryEngine(() => {
  const slope = (x: tf.Variable) => () => tf.sum(x) as tf.Scalar;
  const inner = () => momentum({ learningRate: 1, momentum: 0.5 });
  const make = (innerState: InnerState, syncPeriod: number) =>
    lookahead(inner(), { syncPeriod, innerState, workers: 0 });

  /** One step from 0 (v = 1, x = -1), saved and loaded into a new optimizer; then `call`, then `steps` steps. */
  async function resumed(
    optimizer: () => Lookahead,
    call: (optimizer: Lookahead) => Promise<void>,
    steps = 1,
  ): Promise<number[]> {
    const x = tf.tidy(() => tf.variable(tf.tensor1d([0])));
    const first = optimizer();
    await first.step(slope(x), false, [x]);
    const second = optimizer();
    await loadTraining(await saveTraining(first, [x]), second, [x]);
    await call(second);
    for (let i = 0; i < steps; i++) await second.step(slope(x), false, [x]);
    return valuesOf(x);
  }

  test("'interpolate': discard() brings the momentum back to its slow value, 0", async () => {
    // v = 0.5·0 + 1; with the restored v = 1 it would be 1.5.
    const x = await resumed(
      () => make('interpolate', 5),
      (o) => o.discard(),
    );
    expect(x).toEqual([-1]);
  });

  test.each([
    ['an early sync', (o: Lookahead) => o.sync({ early: true })],
    ['finish()', (o: Lookahead) => o.finish()],
  ] as const)("'interpolate': %s takes the momentum half of the way", async (_, call) => {
    // x = -0.5 and v = 0.5; then v = 0.5·0.5 + 1 = 1.25.
    const x = await resumed(() => make('interpolate', 5), call);
    expect(x).toEqual([-1.75]);
  });

  test("'interpolate': resync() makes the restored momentum the slow one", async () => {
    // k = 2, x = -1, v = 1, slow v = 1. v = 1.5, 1.75: x = -4.25 → -2.625, v → 1.375. v = 1.6875: x = -4.3125.
    const x = await resumed(
      () => make('interpolate', 2),
      (o) => o.resync(),
      3,
    );
    expect(x).toEqual([-4.3125]);
  });

  test("'reset': an early sync resets it", async () => {
    const x = await resumed(
      () => make('reset', 5),
      (o) => o.sync({ early: true }),
    );
    expect(x).toEqual([-1.5]);
  });

  test('a NaN in it makes discard() start it afresh', async () => {
    const x = tf.tidy(() => tf.variable(tf.tensor1d([0])));
    const first = make('maintain', 5);
    await first.step(slope(x), false, [x]);
    await first.step(() => tf.sum(tf.mul(x, NaN)), false, [x]);
    const second = make('maintain', 5);
    await loadTraining(await saveTraining(first, [x]), second, [x]);
    await second.discard();
    await second.step(slope(x), false, [x]);
    expect(valuesOf(x)).toEqual([-1]);
  });

  test('without Lookahead: reset([x]) resets it', async () => {
    const x = tf.tidy(() => tf.variable(tf.tensor1d([0])));
    const first = inner();
    first.minimize(slope(x), false, [x]);
    const second = inner();
    await loadTraining(await saveTraining(first, [x]), second, [x]);
    second.reset([x]);
    second.minimize(slope(x), false, [x]);
    expect(valuesOf(x)).toEqual([-2]);
  });

  test.each(['ours', 'tf.train'])(
    'setWeights() and attach() are enough to know the weights (%s)',
    async (whose) => {
      const x = tf.tidy(() => tf.variable(tf.tensor1d([0])));
      const optimizer = () =>
        lookahead(whose === 'ours' ? inner() : tf.train.momentum(1, 0.5), {
          syncPeriod: 5,
          innerState: 'interpolate',
          workers: 0,
        });
      const first = optimizer();
      await first.step(slope(x), false, [x]);
      const second = optimizer();
      await second.setWeights(await first.getWeights());
      await second.attach([x]);
      await second.discard();
      await second.step(slope(x), false, [x]);
      expect(valuesOf(x)).toEqual([-1]);
    },
  );
});
