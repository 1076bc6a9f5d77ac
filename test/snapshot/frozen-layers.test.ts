// Which weight takes which saved values, where layers of equal shape are frozen, made again or loaded twice.

import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { loadTraining, lookahead, momentum, saveTraining, sgd } from 'slowlane';
import { beforeAll, describe, expect, test } from 'vitest';

import '../engines.js';
import { valuesOf } from '../engines.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** Three layers of one weight each: layer i (from 0) holds `first` + i. */
function makeModel(frozen: readonly number[], first = 1): tfl.Sequential {
  const model = tfl.sequential();
  for (let i = 0; i < 3; i++) {
    const kernelInitializer = tfl.initializers.constant({ value: first + i });
    model.add(tfl.layers.dense({ units: 1, inputShape: [1], useBias: false, kernelInitializer }));
  }
  for (const i of frozen) (model.layers[i] as tfl.layers.Layer).trainable = false;
  return model;
}

const byLayer = (model: tfl.LayersModel) =>
  model.layers.flatMap(({ weights }) => weights.map((w) => w.read() as tf.Variable));
const trained = (model: tfl.LayersModel) =>
  model.trainableWeights.map((w) => w.read() as tf.Variable);
const values = (model: tfl.LayersModel) => byLayer(model).flatMap(valuesOf);
/** Its gradient is 1 for each weight. */
const slopes = (weights: readonly tf.Variable[]) => () =>
  tf.addN(weights.map((w) => tf.sum(w))) as tf.Scalar;

const SUBSETS = [[], [0], [1], [2], [0, 1], [0, 2], [1, 2]];
const pairs = SUBSETS.flatMap((saved) => SUBSETS.map((loaded) => ({ saved, loaded })));

describe('loadTraining with other layers frozen than at saving', () => {
  const ten = { syncPeriod: 10, slowStepSize: 0.5, workers: 0 };

  test.each(pairs)('saved with $saved frozen, loaded with $loaded frozen', async (frozen) => {
    const first = makeModel(frozen.saved);
    const optimizer = lookahead(momentum({ learningRate: 0.25 }), ten);
    await optimizer.step(slopes(trained(first)), false, trained(first));
    const fast = values(first); // i + 1 − ¼ where it was trained
    expect(fast).toEqual([0, 1, 2].map((i) => i + 1 - (frozen.saved.includes(i) ? 0 : 0.25)));
    const second = makeModel(frozen.loaded, 50);
    const other = lookahead(momentum({ learningRate: 0.25 }), ten);
    await loadTraining(await saveTraining(optimizer, first), other, second);
    expect(values(second)).toEqual(fast);
    // The momenta: 1 where it was trained.
    const inner = (await other.getWeights()).filter(({ name }) => name.endsWith('/m'));
    const owners = new Map(byLayer(second).map((w, i) => [`inner/${w.name}/m`, i]));
    const momenta = inner.map(({ name, tensor }) => [owners.get(name), ...valuesOf(tensor)]);
    const expected = [0, 1, 2].filter((i) => !frozen.saved.includes(i)).map((i) => [i, 1]);
    expect(momenta.toSorted((a, b) => (a[0] ?? 9) - (b[0] ?? 9))).toEqual(expected);
    // fast := slow, which is i + 1, of what is trained now; the others stay.
    await other.discard();
    const slow = fast.map((value, i) => (frozen.loaded.includes(i) ? value : i + 1));
    expect(values(second)).toEqual(slow);
    // A layer that trains again finds its slow value.
    for (const layer of second.layers) layer.trainable = true;
    await other.attach(byLayer(second));
    await other.discard();
    expect(values(second)).toEqual([1, 2, 3]);
    other.dispose();
    optimizer.dispose();
  });

  test('momentum alone: each layer goes on with its own', async () => {
    for (const { saved, loaded } of pairs) {
      const first = makeModel(saved);
      const optimizer = momentum({ learningRate: 1, momentum: 0.5 });
      optimizer.minimize(slopes(trained(first)), false, trained(first));
      const second = makeModel(loaded, 50);
      const other = momentum({ learningRate: 1, momentum: 0.5 });
      await loadTraining(await saveTraining(optimizer, first), other, second);
      const before = values(second);
      other.minimize(slopes(trained(second)), false, trained(second));
      // The second step of a weight moves it by 1 + ½, a first one by 1.
      const steps = before.map((value, i) => value - (values(second)[i] ?? NaN));
      const step = (i: number) => (saved.includes(i) ? 1 : 1.5);
      expect(steps).toEqual([0, 1, 2].map((i) => (loaded.includes(i) ? 0 : step(i))));
    }
  });

  test('a model inside a model: its frozen layer is listed last, and found all the same', async () => {
    const nested = (frozen: boolean, first: number) => {
      const inside = makeModel([], first);
      const model = tfl.sequential({ layers: [inside, ...makeModel([], first + 3).layers] });
      if (frozen) (inside.layers[0] as tfl.layers.Layer).trainable = false;
      return { model, all: [...byLayer(inside), ...byLayer(model).slice(3)] };
    };
    const [first, second] = [nested(true, 1), nested(false, 50)];
    await loadTraining(await saveTraining(sgd(), first.model), sgd(), second.model);
    expect(first.model.weights.map((w) => w.read().dataSync()[0])).toEqual([2, 3, 4, 5, 6, 1]);
    expect(second.all.flatMap(valuesOf)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test('layers that were made in another order and have names of tfjs: refused', async () => {
    const make = (isTurned: boolean) => {
      const layers = [1, 2].map(() => tfl.layers.dense({ units: 1, useBias: false }));
      if (isTurned) layers.reverse();
      return tfl.sequential({ layers: [tfl.layers.inputLayer({ inputShape: [1] }), ...layers] });
    };
    const bytes = await saveTraining(sgd(), make(false));
    await loadTraining(bytes, sgd(), make(false));
    await expect(loadTraining(bytes, sgd(), make(true))).rejects.toThrow(/neither names nor order/);
  });

  test('variables in a list whose order contradicts the order of their numbers: refused', async () => {
    const make = () => [0, 0].map((x) => tf.variable(tf.tensor1d([x])));
    const bytes = await saveTraining(sgd(), make());
    await expect(loadTraining(bytes, sgd(), make().toReversed())).rejects.toMatchObject({
      code: 'STATE_MISMATCH',
    });
  });

  test.each(['adam', 'momentum'] as const)(
    'tf.train.%s keeps its state by position: with other layers frozen it is refused',
    async (name) => {
      const make = () => (name === 'adam' ? tf.train.adam(0.1) : tf.train.momentum(0.1, 0.9));
      const first = makeModel([0]);
      const optimizer = make();
      optimizer.minimize(slopes(trained(first)), false, trained(first));
      const bytes = await saveTraining(optimizer, first);
      const second = makeModel([2], 50);
      await expect(loadTraining(bytes, make(), second)).rejects.toThrow(/by the position/);
      expect(values(second)).toEqual([50, 51, 52]);
      const third = makeModel([0], 50);
      await loadTraining(bytes, make(), third);
      expect(values(third)).toEqual(values(first));
      // Inside a Lookahead the positions are ours: the state follows its weights, and no others can be trained.
      const inside = lookahead(make(), ten);
      await inside.step(slopes(trained(first)), false, trained(first));
      const wrapped = lookahead(make(), ten);
      await loadTraining(await saveTraining(inside, first), wrapped, second);
      const step = () => wrapped.step(slopes(trained(second)), false, trained(second));
      await expect(step()).rejects.toMatchObject({ code: 'UNSUPPORTED_INNER' });
    },
  );
});

describe('state without a model: exact, or an error', () => {
  const step = (optimizer: ReturnType<typeof momentum>, weights: readonly tf.Variable[]) => {
    if (weights.length > 0) optimizer.minimize(slopes(weights), false, [...weights]);
  };
  /** The moments `m` of `weights`, one number each; NaN without state. */
  const moments = (optimizer: ReturnType<typeof momentum>, weights: readonly tf.Variable[]) =>
    weights.map((weight) => {
      const found = optimizer.state().find((state) => state.weight === weight);
      return found ? (valuesOf(found.variable)[0] ?? NaN) : NaN;
    });
  const make = () => momentum({ learningRate: 0, momentum: 0.5 });
  /** Layer i has taken i + 1 steps with momentum ½: m is 2 − ½ⁱ. */
  const train = (model: tfl.LayersModel) => {
    const optimizer = make();
    const weights = byLayer(model).filter(({ trainable }) => trainable);
    const all = byLayer(model);
    for (let s = 0; s < 3; s++)
      step(
        optimizer,
        weights.filter((w) => all.indexOf(w) >= s),
      );
    return optimizer;
  };
  const momentumOf = (i: number) => 2 - 0.5 ** i;

  test.each(pairs)(
    'a model made again, saved with $saved frozen, trained on with $loaded frozen',
    async ({ saved, loaded }) => {
      const first = makeModel(saved);
      const state = await train(first).getWeights();
      const second = makeModel(loaded);
      const optimizer = make();
      await optimizer.setWeights(state);
      let refusal: unknown = null;
      try {
        optimizer.adopt(trained(second));
      } catch (error) {
        refusal = error;
      }
      if (refusal !== null) {
        expect(refusal).toMatchObject({ code: 'STATE_MISMATCH' });
        // Other models are about that tfjs counts together with these.
        return;
      }
      const expected = [0, 1, 2].map((i) => {
        // A frozen weight keeps the state it was saved with, and gets none.
        if (saved.includes(i)) return loaded.includes(i) ? NaN : 0;
        return momentumOf(i);
      });
      expect(moments(optimizer, byLayer(second))).toEqual(expected);
    },
  );

  test('alone in the process, a model made again is matched whatever is frozen', async () => {
    for (const { saved, loaded } of pairs) {
      tf.disposeVariables();
      const first = makeModel(saved);
      const state = await train(first).getWeights();
      const second = makeModel(loaded);
      const optimizer = make();
      await optimizer.setWeights(state);
      optimizer.adopt(trained(second));
      const expected = [0, 1, 2].map((i) => {
        // A frozen weight keeps the state it was saved with, and gets none.
        if (saved.includes(i)) return loaded.includes(i) ? NaN : 0;
        return momentumOf(i);
      });
      expect(moments(optimizer, byLayer(second))).toEqual(expected);
    }
  });

  test('one more model of such layers, and it is not certain: refused', async () => {
    tf.disposeVariables();
    const state = await train(makeModel([0])).getWeights();
    const [second] = [makeModel([2]), makeModel([])];
    const optimizer = make();
    await optimizer.setWeights(state);
    expect(() => optimizer.adopt(trained(second))).toThrow(/loadTraining/);
    expect(moments(optimizer, byLayer(second))).toEqual([NaN, NaN, NaN]);
  });

  test('one more model of such layers, but the same weights are trained under the same names', async () => {
    tf.disposeVariables();
    const model = makeModel([]);
    const state = await train(model).getWeights();
    makeModel([1]);
    const optimizer = make();
    await optimizer.setWeights(state);
    optimizer.adopt(trained(model));
    expect(moments(optimizer, byLayer(model))).toEqual([0, 1, 2].map(momentumOf));
  });

  test('two models of a kind, the state of the first and a step of the second: refused', async () => {
    tf.disposeVariables();
    const [first, second] = [makeModel([]), makeModel([], 50)];
    const state = await train(first).getWeights();
    const optimizer = make();
    await optimizer.setWeights(state);
    expect(() => optimizer.adopt(trained(second))).toThrow(/neither names nor order/);
    expect(moments(optimizer, byLayer(first))).toEqual([NaN, NaN, NaN]);
  });

  test('two models of a kind: attach(second) gives the state of the first to the second alone', async () => {
    tf.disposeVariables();
    const [first, second] = [makeModel([]), makeModel([], 50)];
    const inner = () => momentum({ learningRate: 0.25 });
    const optimizer = lookahead(inner(), { syncPeriod: 10, slowStepSize: 0.5, workers: 0 });
    await optimizer.step(slopes(trained(first)), false, trained(first));
    const other = lookahead(inner(), { syncPeriod: 10, slowStepSize: 0.5, workers: 0 });
    await other.setWeights(await optimizer.getWeights());
    await other.attach(second);
    const before = values(first);
    await other.discard();
    expect([values(first), values(second)]).toEqual([before, [1, 2, 3]]);
    expect((await other.slowWeights()).map(({ name }) => name)).toEqual(
      byLayer(second).map(({ name }) => name),
    );
    other.dispose();
    optimizer.dispose();
  });

  test('a model of one such layer, and state of a model whose other layers were frozen: refused', async () => {
    tf.disposeVariables();
    const first = makeModel([0, 1]);
    const inner = () => momentum({ learningRate: 0.25 });
    const optimizer = lookahead(inner(), { syncPeriod: 10, workers: 0 });
    await optimizer.step(slopes(trained(first)), false, trained(first));
    const single = tfl.sequential({
      layers: [tfl.layers.dense({ units: 1, inputShape: [1], useBias: false })],
    });
    const other = lookahead(inner(), { syncPeriod: 10, workers: 0 });
    await other.setWeights(await optimizer.getWeights());
    await expect(other.attach(single)).rejects.toMatchObject({ code: 'STATE_MISMATCH' });
    other.dispose();
    optimizer.dispose();
  });

  test('in a process that counts one layer more, equal names are other layers: refused', async () => {
    // Saved: dense 2, 3, 4 of which 2 is frozen. Now the first of the model would be dense 3.
    tf.disposeVariables();
    const first = makeModel([0]);
    const state = await train(first).getWeights();
    const shifted = state.map(({ name, tensor }) => ({
      name: name.replace(/Dense(\d+)/, (_, n: string) => `Dense${Number(n) + 1}`),
      tensor,
    }));
    const optimizer = make();
    await optimizer.setWeights(shifted);
    expect(() => optimizer.adopt(trained(first))).toThrow(/neither names nor order/);
  });

  test('a model that is loaded twice from its config: each copy is matched by its layers', async () => {
    tf.disposeVariables();
    const first = makeModel([0]);
    const state = await train(first).getWeights();
    const config = first.toJSON(null, false) as object;
    for (let copy = 0; copy < 2; copy++) {
      const model = (await tfl.models.modelFromJSON(config as never)) as tfl.Sequential;
      for (const layer of model.layers) layer.trainable = true;
      (model.layers[2] as tfl.layers.Layer).trainable = false;
      const optimizer = make();
      await optimizer.setWeights(state);
      optimizer.adopt(trained(model));
      expect(moments(optimizer, byLayer(model))).toEqual([0, momentumOf(1), momentumOf(2)]);
    }
  });

  test('names given by hand: w_1 is not w_2, whichever were trained', async () => {
    tf.disposeVariables();
    const named = [0, 1, 2].map((i) => tf.variable(tf.tensor1d([i]), true, `w_${i}`));
    for (const { saved, loaded } of pairs) {
      const optimizer = make();
      const of = (frozen: readonly number[]) => named.filter((_, i) => !frozen.includes(i));
      for (let s = 0; s < 3; s++)
        step(
          optimizer,
          of(saved).filter((w) => named.indexOf(w) >= s),
        );
      const other = make();
      await other.setWeights(await optimizer.getWeights());
      try {
        other.adopt(of(loaded));
      } catch (error) {
        expect(error).toMatchObject({ code: 'STATE_MISMATCH' });
        continue;
      }
      const expected = [0, 1, 2].map((i) => {
        // A frozen weight keeps the state it was saved with, and gets none.
        if (saved.includes(i)) return loaded.includes(i) ? NaN : 0;
        return momentumOf(i);
      });
      expect(moments(other, named)).toEqual(expected);
    }
  });

  test('nameless weights of which others are excluded than at saving', async () => {
    const make3 = () => [1, 2, 3].map((x) => tf.variable(tf.tensor1d([x])));
    const of = (weights: readonly tf.Variable[], excluded: number) =>
      lookahead(sgd({ learningRate: 0.25 }), {
        syncPeriod: 10,
        workers: 0,
        overrides: [{ weights: (weight) => weight === weights[excluded], exclude: true }],
      });
    const first = make3();
    const optimizer = of(first, 0);
    await optimizer.step(slopes(first), false, first); // slow: 2 and 3
    const second = first.map((weight) => tf.variable(weight.clone()));
    const other = of(second, 2);
    await other.setWeights(await optimizer.getWeights());
    await other.attach(second);
    await other.discard();
    // The first is new, the second goes back to 2, the third is excluded now and stays.
    expect(second.flatMap(valuesOf)).toEqual([0.75, 2, 2.75]);
  });
});
