// What the optimizers of tf.train saved goes on in ours.

import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {
  adagrad,
  adam,
  adamw,
  lion,
  loadTraining,
  momentum,
  rmsprop,
  saveTraining,
  sgd,
} from 'slowlane';
import { beforeAll, describe, expect, test } from 'vitest';

import '../../engines.js';
import { noise, valuesOf } from '../../engines.js';

const RULES = {
  sgd: { theirs: () => tf.train.sgd(0.1), ours: () => sgd({ learningRate: 0.1 }) },
  momentum: {
    theirs: () => tf.train.momentum(0.1, 0.9),
    ours: () => momentum({ learningRate: 0.1, momentum: 0.9 }),
  },
  'momentum, Nesterov': {
    theirs: () => tf.train.momentum(0.1, 0.9, true),
    ours: () => momentum({ learningRate: 0.1, momentum: 0.9, nesterov: true }),
  },
  adagrad: { theirs: () => tf.train.adagrad(0.1), ours: () => adagrad({ learningRate: 0.1 }) },
  rmsprop: { theirs: () => tf.train.rmsprop(0.01), ours: () => rmsprop({ learningRate: 0.01 }) },
  'rmsprop, momentum': {
    theirs: () => tf.train.rmsprop(0.01, 0.9, 0.5),
    ours: () => rmsprop({ learningRate: 0.01, momentum: 0.5 }),
  },
  'rmsprop, centered': {
    theirs: () => tf.train.rmsprop(0.01, 0.9, 0.5, 1e-7, true),
    ours: () => rmsprop({ learningRate: 0.01, momentum: 0.5, centered: true }),
  },
  adam: { theirs: () => tf.train.adam(0.1), ours: () => adam({ learningRate: 0.1 }) },
  'adam, moments on the host': {
    theirs: () => tf.train.adam(0.1),
    ours: () => adam({ learningRate: 0.1, moments: 'host:f32' }),
  },
};

/** ½ Σ (w − c)² with another c in each step: gradients that change. */
const loss = (weights: readonly tf.Variable[], step: number) => () =>
  tf.addN(
    weights.map((w, i) => tf.sum(tf.square(tf.sub(w, noise(w.shape, 100 + 10 * step + i))))),
  ) as tf.Scalar;

const train = (optimizer: tf.Optimizer, weights: tf.Variable[], from: number, steps: number) => {
  for (let i = from; i < from + steps; i++) optimizer.minimize(loss(weights, i), false, weights);
};
const shapes = [[3], [3], [2, 3]];
const make = () => shapes.map((shape, i) => tf.tidy(() => tf.variable(noise(shape, i))));

/** Float errors of 5 steps. */
function expectClose(a: readonly tf.Variable[], b: readonly tf.Variable[]): void {
  for (const [i, weight] of a.entries()) {
    const other = valuesOf(b[i] as tf.Variable);
    valuesOf(weight).forEach((value, at) => expect(value).toBeCloseTo(other[at] ?? NaN, 5));
  }
}

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe.each(Object.keys(RULES) as (keyof typeof RULES)[])('%s', (name) => {
  const { theirs, ours } = RULES[name];

  test('setWeights(await theirs.getWeights()) goes on as theirs does', async () => {
    const weights = make();
    const first = theirs();
    train(first, weights, 0, 4);
    const copies = weights.map((w) => tf.variable(w.clone()));
    const second = ours();
    await second.setWeights(await first.getWeights());
    expect(second.iterations).toBe(4);
    train(first, weights, 4, 5);
    train(second, copies, 4, 5);
    expectClose(copies, weights);
    // Fresh state would be elsewhere by now.
    if (name !== 'sgd') {
      const fresh = make();
      train(theirs(), fresh, 0, 4);
      train(ours(), fresh, 4, 5);
      expect(valuesOf(fresh[0] as tf.Variable)).not.toEqual(valuesOf(copies[0] as tf.Variable));
    }
  });

  test('a training that was saved with theirs is loaded into ours', async () => {
    const weights = make();
    const first = theirs();
    train(first, weights, 0, 4);
    const [copies, second] = [make(), ours()];
    await loadTraining(await saveTraining(first, weights), second, copies);
    expect(copies.map(valuesOf)).toEqual(weights.map(valuesOf));
    train(first, weights, 4, 5);
    train(second, copies, 4, 5);
    expectClose(copies, weights);
  });
});

test('with other layers frozen than at saving, each weight takes its own moments', async () => {
  const model = (frozen: number) => {
    const made = tfl.sequential();
    for (let i = 0; i < 3; i++) {
      made.add(tfl.layers.dense({ units: 2, inputShape: [2], useBias: false }));
    }
    (made.layers[frozen] as tfl.layers.Layer).trainable = false;
    return made;
  };
  const weightsOf = (of: tfl.LayersModel) =>
    of.layers.flatMap(({ weights }) => weights.map((w) => w.read() as tf.Variable));
  const [first, second] = [model(0), model(2)];
  const theirs = tf.train.adam(0.1);
  const trained = weightsOf(first).slice(1);
  train(theirs, trained, 0, 3);
  const moments = (await theirs.getWeights()).slice(1).map(({ tensor }) => valuesOf(tensor));
  const ours = adam();
  await loadTraining(await saveTraining(theirs, first), ours, second);
  ours.adopt(weightsOf(second).slice(0, 2));
  const state = ours.state().map(({ variable }) => valuesOf(variable));
  // Of layer 0 fresh ones; of layer 1 m and v, which tfjs lists as number 0 and 2 of m₁ m₂ v₁ v₂; then those of layer 2,
  // which is frozen now.
  const fresh = [0, 0, 0, 0];
  expect(state).toEqual([fresh, fresh, moments[0], moments[2], moments[1], moments[3]]);
});

test('the state of another rule or of other options is refused, and says what is taken', async () => {
  const saved = async (theirs: tf.Optimizer) => {
    train(theirs, make(), 0, 1);
    return theirs.getWeights();
  };
  const states = {
    sgd: await saved(tf.train.sgd(0.1)),
    momentum: await saved(tf.train.momentum(0.1, 0.9)),
    adagrad: await saved(tf.train.adagrad(0.1)),
    adam: await saved(tf.train.adam(0.1)),
    rmsprop: await saved(tf.train.rmsprop(0.1)),
    centered: await saved(tf.train.rmsprop(0.1, 0.9, 0, 1e-3, true)),
    adadelta: await saved(tf.train.adadelta(0.1)),
  };
  const rules = { sgd, momentum, adagrad, adam, rmsprop };
  for (const [rule, ours] of Object.entries(rules)) {
    for (const [name, state] of Object.entries(states)) {
      if (name === rule) continue;
      await expect(ours().setWeights(state)).rejects.toThrow(/takes only what tfjs's/);
    }
  }
  await expect(rmsprop({ centered: true }).setWeights(states.rmsprop)).rejects.toThrow(/RMSProp/);
  for (const ours of [adamw, lion]) {
    await expect(ours().setWeights(states.adam)).rejects.toThrow(/no counterpart in tfjs/);
  }
  const torn = [
    states.adam.slice(0, -1),
    states.adam.toReversed(),
    [...states.adam, ...states.adam],
  ];
  for (const state of torn) {
    await expect(adam().setWeights(state)).rejects.toMatchObject({ code: 'STATE_MISMATCH' });
  }
});
