// slowWeights(): the slow weights as plain data, at any time.

import * as tf from '@tensorflow/tfjs-core';
import { adam, lookahead, type LookaheadOptions, saveTraining, loadTraining, sgd } from 'slowlane';
import { afterEach, describe, expect, test, vi } from 'vitest';

import type { Device } from '#src/engine/device.js';
import { SLOW_FORMATS } from '#src/slow/slow-format.js';

import { halfSquare, noise, onEveryEngine, onTensorFlow, valuesOf } from '../engines.js';

/** Called with the number of each push to the device. */
const pushes = vi.hoisted(() => ({ hook: (() => {}) as () => void }));
vi.mock('#src/engines/current-device.js', async (original) => {
  const { currentDevice } = await original<typeof import('#src/engines/current-device.js')>();
  const hooked = (device: Device): Device => ({
    ...device,
    write() {
      const writer = device.write();
      return {
        push(variable, start, from) {
          pushes.hook();
          return writer.push(variable, start, from);
        },
      };
    },
  });
  return { currentDevice: () => hooked(currentDevice()) };
});

const named = (name: string, shape: number[], seed: number) =>
  tf.tidy(() => tf.variable(noise(shape, seed), true, name));

/** Gradient of each weight: itself. */
const lossOf = (weights: tf.Variable[]) => () => tf.addN(weights.map(halfSquare)) as tf.Scalar;

function make(options: LookaheadOptions = {}) {
  const weights = [named('kernel', [64, 65], 1), named('bias', [5], 2), named('empty', [0, 2], 3)];
  const optimizer = lookahead(sgd({ learningRate: 0.5 }), {
    syncPeriod: 2,
    workers: 0,
    ...options,
  });
  const step = () => optimizer.step(lossOf(weights), false, weights);
  const end = () => {
    optimizer.dispose();
    tf.dispose(weights);
  };
  return { weights, optimizer, step, end };
}

afterEach(() => {
  pushes.hook = () => {};
  tf.disposeVariables();
});

onEveryEngine(() => {
  describe.each(SLOW_FORMATS)('%s', (slow) => {
    test('in mid-cycle: what withSlowWeights() shows, to the bit, in the order of the weights', async () => {
      const { weights, optimizer, step, end } = make({ slow });
      for (let i = 0; i < 3; i++) await step(); // one sync, and one step
      const fast = weights.map(valuesOf);
      const given = await optimizer.slowWeights();
      const shown = await optimizer.withSlowWeights(async () => {
        expect(await optimizer.slowWeights()).toEqual(given); // inside it too
        return weights.map(valuesOf);
      });
      expect(given.map(({ values }) => [...values])).toEqual(shown);
      expect(given.map(({ name, shape }) => [name, shape])).toEqual([
        ['kernel', [64, 65]],
        ['bias', [5]],
        ['empty', [0, 2]],
      ]);
      expect(weights.map(valuesOf)).toEqual(fast); // nothing has moved
      end();
    });

    test('the arrays are the caller’s: what is written into them changes nothing', async () => {
      const { optimizer, step, end } = make({ slow });
      await step();
      const given = await optimizer.slowWeights();
      const before = given.map(({ values }) => [...values]);
      for (const { values, shape } of given) {
        values.fill(9);
        shape.push(7);
      }
      const again = await optimizer.slowWeights();
      expect(again.map(({ values }) => [...values])).toEqual(before);
      expect(again[0]?.shape).toEqual([64, 65]);
      end();
    });
  });

  test('in numbers: α = ½ and halved twice, 8 → 2, so the slow value is (8 + 2) / 2 = 5 until the next sync', async () => {
    const x = tf.tidy(() => tf.variable(tf.tensor1d([8]), true, 'x'));
    const optimizer = lookahead(sgd({ learningRate: 0.5 }), { syncPeriod: 2, slowStepSize: 0.5 });
    const slow = async () => (await optimizer.slowWeights()).map(({ values }) => values[0]);
    expect(await slow()).toEqual([]); // none was seen yet
    optimizer.minimize(lossOf([x]), false, [x]); // captures 8, and nobody has waited for it
    expect(await slow()).toEqual([8]);
    optimizer.minimize(lossOf([x]), false, [x]);
    expect(optimizer.due).toBe(true);
    expect(await slow()).toEqual([8]); // the sync is due, and stays so
    expect(optimizer.due).toBe(true);
    await optimizer.sync();
    expect(await slow()).toEqual([5]);
    await optimizer.step(lossOf([x]), false, [x]);
    expect([await slow(), valuesOf(x)]).toEqual([[5], [2.5]]);
    await optimizer.finish();
    expect([await slow(), valuesOf(x)]).toEqual([[3.75], [3.75]]); // (5 + 2.5) / 2
    optimizer.dispose();
    await expect(optimizer.slowWeights()).rejects.toMatchObject({ code: 'DISPOSED' });
    x.dispose();
  });

  test('a call that is not awaited looks after those before it, and before those after it', async () => {
    const { optimizer, step, end } = make();
    const all = [step(), optimizer.slowWeights(), step(), optimizer.slowWeights()] as const;
    const [, first, , second] = await Promise.all(all);
    expect([...(first[1]?.values ?? [])]).toEqual([...noise([5], 2).dataSync()]);
    expect(second).toEqual(await optimizer.slowWeights());
    expect(second[1]?.values).not.toEqual(first[1]?.values);
    end();
  });

  test('no excluded and no disposed weight, and no slot of the inner state', async () => {
    const [a, b, c] = [named('a', [2], 1), named('b', [2], 2), named('c', [2], 3)];
    const optimizer = lookahead(adam(), {
      innerState: 'interpolate',
      syncPeriod: 1,
      overrides: [{ weights: 'b', exclude: true }],
    });
    await optimizer.step(lossOf([a, b, c]), false, [c, b, a]);
    const names = async () => (await optimizer.slowWeights()).map(({ name }) => name);
    expect(await names()).toEqual(['c', 'a']);
    c.dispose();
    expect(await names()).toEqual(['a']);
    optimizer.dispose();
    tf.dispose([a, b]);
  });

  test('after a sync that broke off: new values of the weights that it had blended, old ones of the others', async () => {
    const make2 = async () => {
      const weights = [1, 2].map((seed) => tf.tidy(() => tf.variable(noise([5000], seed))));
      const optimizer = lookahead(sgd({ learningRate: 0.5 }), {
        syncPeriod: 1,
        workers: 0,
        chunkBytes: 20_000, // a chunk for each
      });
      await optimizer.attach(weights);
      optimizer.minimize(lossOf(weights), false, weights);
      return { weights, optimizer };
    };
    const whole = await make2();
    const before = await whole.optimizer.slowWeights();
    await whole.optimizer.sync();
    const after = await whole.optimizer.slowWeights();

    const broken = await make2();
    let count = 0;
    pushes.hook = () => {
      if (++count === 2) throw new Error('bus error');
    };
    await expect(broken.optimizer.sync()).rejects.toThrow('bus error');
    pushes.hook = () => {};
    const left = await broken.optimizer.slowWeights();
    expect(left[0]?.values).toEqual(after[0]?.values);
    // Blended in host memory, and not pushed: either way the sync that goes on gives the same bits.
    expect([before[1], after[1]].map((one) => one?.values)).toContainEqual(left[1]?.values);
    await expect(broken.optimizer.getWeights()).rejects.toMatchObject({ code: 'SYNC_FAILED' });
    await expect(broken.optimizer.getWeights()).rejects.toThrow(/broke off: bus error/);
    await broken.optimizer.sync(); // looking has not changed what is left to do
    const rest = await broken.optimizer.slowWeights();
    expect(rest.map(({ values }) => values)).toEqual(after.map(({ values }) => values));
    for (const { optimizer, weights } of [whole, broken]) {
      optimizer.dispose();
      tf.dispose(weights);
    }
  });

  test('loaded values: at once where the model is known, and by their saved names where it is not', async () => {
    const { weights, optimizer, step, end } = make();
    for (let i = 0; i < 3; i++) await step();
    const given = await optimizer.slowWeights();
    const fresh = () => lookahead(sgd({ learningRate: 0.5 }), { syncPeriod: 2, workers: 0 });
    const state = await optimizer.getWeights();
    const loaded = fresh();
    await loadTraining(await saveTraining(optimizer, weights), loaded, weights);
    expect(await loaded.slowWeights()).toEqual(given);
    const waiting = fresh();
    await waiting.setWeights(state);
    const early = await waiting.slowWeights();
    expect(early).toEqual(given);
    early[0]?.values.fill(9);
    await waiting.attach(weights);
    expect(await waiting.slowWeights()).toEqual(given);
    loaded.dispose();
    waiting.dispose();
    end();
  });
});

test.skipIf(onTensorFlow)('after another backend became the current one', async () => {
  await tf.setBackend('wasm');
  const { optimizer, step, end } = make({ slow: 'host:f16' });
  for (let i = 0; i < 3; i++) await step();
  const given = await optimizer.slowWeights();
  await tf.setBackend('cpu');
  expect(await optimizer.slowWeights()).toEqual(given);
  await tf.setBackend('wasm');
  end();
});
