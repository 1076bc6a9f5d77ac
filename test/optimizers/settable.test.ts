// Every option that is a number is checked when it is given, and every assignment to an optimizer takes effect or throws.
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {
  adam,
  adaptive,
  type Lookahead,
  lookahead,
  type LookaheadOptions,
  momentum,
  schedules,
  sgd,
  type WeightwiseOptimizer,
} from 'slowlane';
import { describe, expect, test } from 'vitest';
import { makeInner } from '#src/optimizers/rules/by-name.js';
import { INNER_NAMES } from '#src/optimizers/rules/names.js';

const NO_NUMBERS = [NaN, Infinity, -Infinity, '0.5', '', null, true, [1], { value: 1 }, 1n];

type Make = (option: Record<string, unknown>) => unknown;

/** Who takes options, how, and the names of those that are numbers. */
const OWNERS: [string, Make, readonly string[]][] = [
  ...INNER_NAMES.map((name): [string, Make, string[]] => {
    const own = Object.entries(makeInner(name).getConfig()).filter(([, value]) => value !== false);
    const names = [...own.map(([option]) => option), 'clipValue', 'clipNorm', 'accumulate'];
    return [name, (option) => makeInner(name, option), names];
  }),
  [
    'lookahead',
    (option) => lookahead(sgd(), { workers: 0, ...option } as LookaheadOptions),
    ['syncPeriod', 'slowStepSize', 'workers', 'chunkBytes', 'workerTimeoutMs'],
  ],
  [
    'lookahead with a budget',
    (option) => lookahead(sgd(), { vramBudget: '1MiB', ...option } as LookaheadOptions),
    ['vramBudget', 'hostBudget', 'batchSize', 'activationBytes'],
  ],
  [
    'an override of lookahead',
    (option) => lookahead(sgd(), { overrides: [{ weights: 'w', ...option }] } as LookaheadOptions),
    ['slowStepSize'],
  ],
  ['adaptive', (option) => adaptive(option), ['min']],
  ['schedules.constant', ({ value }) => schedules.constant(value as number), ['value']],
  [
    'schedules.cosine',
    (option) => schedules.cosine({ initial: 1, decaySteps: 1, ...option }),
    ['initial', 'decaySteps', 'final'],
  ],
  [
    'schedules.step',
    (option) => schedules.step({ initial: 1, every: 1, factor: 1, ...option }),
    ['initial', 'every', 'factor'],
  ],
  [
    'schedules.warmup',
    (option) => schedules.warmup({ steps: 1, then: 1, ...option }),
    ['steps', 'from', 'then'],
  ],
];

describe.each(OWNERS)('%s checks', (_, make, names) => {
  test.each(names)('%s', (name) => {
    for (const value of NO_NUMBERS) {
      let thrown: unknown = 'nothing';
      try {
        make({ [name]: value });
      } catch (error) {
        thrown = error;
      }
      const isNamed = thrown instanceof Error && thrown.message.includes(name);
      expect([value, isNamed]).toEqual([value, true]);
      expect(thrown instanceof TypeError || thrown instanceof RangeError).toBe(true);
    }
  });
});

const RATE = 0.1;
const TRAIN: [string, () => tf.Optimizer][] = [
  ['sgd', () => tf.train.sgd(RATE)],
  ['momentum', () => tf.train.momentum(RATE, 0.9)],
  ['rmsprop', () => tf.train.rmsprop(RATE)],
  ['adagrad', () => tf.train.adagrad(RATE)],
  ['adadelta', () => tf.train.adadelta(RATE)],
  ['adam', () => tf.train.adam(RATE)],
  ['adamax', () => tf.train.adamax(RATE)],
];
const SETTABLE: [string, () => WeightwiseOptimizer | Lookahead][] = [
  ...INNER_NAMES.map((name): [string, () => WeightwiseOptimizer] => [
    name,
    () => makeInner(name, { learningRate: RATE }),
  ]),
  ...INNER_NAMES.map((name): [string, () => Lookahead] => [
    `lookahead of ${name}`,
    () => lookahead(makeInner(name, { learningRate: RATE }), { workers: 0 }),
  ]),
  ...TRAIN.map(([name, make]): [string, () => Lookahead] => [
    `lookahead of tf.train.${name}`,
    () => lookahead(make(), { workers: 0 }),
  ]),
];

/** As a script without 'use strict' assigns, which ignores what strict code throws for. */
// oxlint-disable-next-line typescript/no-implied-eval -- no module can be without 'use strict'
const assign = new Function('of', 'name', 'value', 'of[name] = value') as (
  of: object,
  name: string,
  value: unknown,
) => void;

describe.each(SETTABLE)('%s', (_, make) => {
  const moved = (optimizer: tf.Optimizer): number => {
    const weight = tf.variable(tf.scalar(1));
    const gradient = tf.scalar(1);
    optimizer.applyGradients({ [weight.name]: gradient });
    const [value = NaN] = weight.dataSync();
    tf.dispose([weight, gradient]);
    return Math.abs(value - 1);
  };

  test('the rate that is set is the rate of the next step, and is saved', () => {
    const [first, still, set] = [make(), make(), make()];
    const before = moved(first);
    still.learningRate = 0;
    expect(moved(still)).toBe(0);
    set.setLearningRate(RATE / 4);
    expect(set.learningRate).toBe(RATE / 4);
    expect(moved(set)).toBeCloseTo(before / 4, 6);
    expect(JSON.stringify(set.getConfig())).toContain(`"learningRate":${RATE / 4}`);
    for (const each of [first, still, set]) each.dispose();
  });

  test('a wrong rate throws and changes nothing', () => {
    const optimizer = make();
    for (const value of [...NO_NUMBERS, -0.1, undefined, {}]) {
      expect(() => (optimizer.learningRate = value as number)).toThrow(/^learningRate must be/);
      expect(() => optimizer.setLearningRate(value as number)).toThrow(/^learningRate must be/);
    }
    expect(optimizer.learningRate).toBe(RATE);
    optimizer.dispose();
  });

  test('everything else that is assigned throws, and changes nothing', () => {
    const optimizer = make();
    const before = JSON.stringify(optimizer.getConfig());
    const { options } = optimizer.made;
    expect(options.length).toBeGreaterThan(6);
    const fixed = options.filter((name) => name !== 'learningRate');
    const readable = ['iterations', 'due', 'isAccumulating'];
    for (const name of [...fixed, ...readable, 'lr', 'beta9', 'stopTraining']) {
      expect(() => assign(optimizer, name, 0.5)).toThrow(TypeError);
      expect(() => assign(optimizer, name, 0.5)).toThrow(/Only learningRate can be set/);
    }
    expect(JSON.stringify(optimizer.getConfig())).toBe(before);
    optimizer.dispose();
  });
});

test('the errors say what to do', () => {
  const optimizer = lookahead(adam(), { workers: 0 });
  const message =
    'syncPeriod cannot be changed once the optimizer is made: give it to lookahead().';
  expect(() => Object.assign(optimizer, { syncPeriod: 9 })).toThrow(message);
  expect(() => Object.assign(optimizer, { lr: 9 })).toThrow("Did you mean 'learningRate'?");
  expect(() => Object.assign(optimizer, { due: true })).toThrow('due is read-only.');
  expect(() => Object.assign(adam(), { beta1: 0.5 })).toThrow('give it to adam().');
  expect(() => Object.assign(adam(), { learningrate: 1 })).toThrow("Did you mean 'learningRate'?");
  optimizer.dispose();
});

test('a method can be wrapped: what calls it calls the wrapper', () => {
  const optimizer = sgd();
  let calls = 0;
  const apply = optimizer.applyGradients.bind(optimizer);
  optimizer.applyGradients = (gradients) => {
    calls += 1;
    apply(gradients);
  };
  optimizer.applyGradients({});
  expect(calls).toBe(1);
  // Also one that only tf.Optimizer has, and a symbol of someone's own.
  const compute = optimizer.computeGradients.bind(optimizer);
  optimizer.computeGradients = (...args) => {
    calls += 1;
    return compute(...args);
  };
  const weight = tf.variable(tf.scalar(1));
  optimizer.minimize(() => tf.square<tf.Scalar>(weight), false, [weight]);
  weight.dispose();
  expect(calls).toBe(2);
  const own = Symbol('own');
  Object.assign(optimizer, { [own]: 7 });
  expect(Reflect.get(optimizer, own)).toBe(7);
});

test('a method that has the name of an option takes functions alone', () => {
  const optimizer = lookahead(sgd(), { workers: 0 });
  const sync = async () => undefined;
  expect(() => Object.assign(optimizer, { sync: 'inline' })).toThrow(/give it to lookahead\(\)/);
  Object.assign(optimizer, { sync });
  expect(Reflect.get(optimizer, 'sync')).toBe(sync);
  // Like any property: it can be set again, and taken back.
  const again = async () => undefined;
  Object.assign(optimizer, { sync: again });
  expect(Reflect.get(optimizer, 'sync')).toBe(again);
  Reflect.deleteProperty(optimizer, 'sync');
  expect(Reflect.get(optimizer, 'sync')).not.toBe(again);
  optimizer.dispose();
});

test('a name that is like none: no guess', () => {
  expect(() => Object.assign(sgd(), { somethingElse: 1 })).toThrow(
    "What sgd() makes has no property 'somethingElse'. Only learningRate can be set.",
  );
});

test('an inner optimizer without a learning rate says so', () => {
  class Fixed extends tf.Optimizer {
    static readonly className = 'Fixed';
    applyGradients(): void {}
    override getConfig(): tf.serialization.ConfigDict {
      return {};
    }
  }
  const optimizer = lookahead(new Fixed(), { workers: 0 });
  const refused = expect.objectContaining({ code: 'UNSUPPORTED_INNER' });
  expect(() => optimizer.learningRate).toThrow(refused);
  expect(() => (optimizer.learningRate = 1)).toThrow(refused);
  optimizer.dispose();
});

test.each([
  ['ours', () => momentum({ learningRate: RATE })],
  ['tf.train.momentum', () => tf.train.momentum(RATE, 0.9)],
])('fit: a callback sets the rate of a Lookahead of %s to 0, and weights stay', async (_, make) => {
  const dense = tfl.layers.dense({ units: 1, inputShape: [3], kernelInitializer: 'zeros' });
  const model = tfl.sequential({ layers: [dense] });
  const optimizer = lookahead(make(), { workers: 0 });
  model.compile({ optimizer, loss: 'meanSquaredError' });
  const [x, y] = [tf.ones([40, 3]), tf.ones([40, 1])];
  const onEpochBegin = (): void => {
    (model.optimizer as Lookahead).learningRate = 0;
  };
  const callbacks = optimizer.callbacks({ onEpochBegin });
  await model.fit(x, y, { epochs: 2, batchSize: 8, verbose: 0, callbacks });
  expect([...(model.getWeights()[0] as tf.Tensor).dataSync()]).toEqual([0, 0, 0]);
  optimizer.dispose();
  tf.dispose([x, y]);
  model.dispose();
});
