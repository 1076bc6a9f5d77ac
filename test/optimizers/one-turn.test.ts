// State is saved and loaded in one turn: what happens meanwhile is noticed, or refused.

import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { adam, momentum, sgd } from 'slowlane';
import { describe, expect, test, vi } from 'vitest';

import { registerEngine } from '#src/engine/engine.js';
import { currentDevice } from '#src/engines/current-device.js';
import type { WeightwiseOptimizer } from '#src/optimizers/weightwise.js';
import '../engines.js';
import { halfSquare, valuesOf } from '../engines.js';
import { onCleanSlate } from './state/clean-slate.js';
import { Host } from './state/plain-host.js';

onCleanSlate();

const make = (name: string, values = [1]) =>
  tf.tidy(() => tf.variable(tf.tensor1d(values), true, name));
const step = (optimizer: WeightwiseOptimizer, ...weights: tf.Variable[]) =>
  optimizer.minimize(() => tf.addN<tf.Scalar>(weights.map(halfSquare)), false, weights);

describe('saving() notices a micro-batch, and', () => {
  test.each<[string, (optimizer: WeightwiseOptimizer, weight: tf.Variable) => unknown]>([
    ['its completion', (optimizer) => optimizer.completeStep()],
    ['that it is given up', (optimizer) => optimizer.abandonStep()],
    ['a reset', (optimizer) => optimizer.reset()],
    ['that its weight is forgotten', (optimizer, weight) => optimizer.forget([weight])],
  ])('%s', async (_, act) => {
    const weight = make('a');
    const optimizer = momentum({ accumulate: 2 });
    const saving = optimizer.saving(async () => {
      step(optimizer, weight);
      act(optimizer, weight);
    });
    await expect(saving).rejects.toMatchObject({ code: 'SYNC_RUNNING' });
    optimizer.dispose();
  });
});

test('saving() notices that state was replaced after a step', async () => {
  const weight = make('a');
  const optimizer = momentum();
  const saved = await optimizer.getWeights();
  const saving = optimizer.saving(async () => {
    step(optimizer, weight);
    await optimizer.setWeights(saved);
  });
  await expect(saving).rejects.toMatchObject({ code: 'SYNC_RUNNING' });
  optimizer.dispose();
});

test('micro-batches that are given up move nothing', () => {
  const weight = make('a');
  const optimizer = sgd({ learningRate: 1, accumulate: 2 });
  step(optimizer, weight);
  optimizer.abandonStep();
  expect([optimizer.isAccumulating, ...valuesOf(weight)]).toEqual([false, 1]);
  optimizer.dispose();
});

describe('loading()', () => {
  const saved = async () => {
    const [optimizer, weight] = [momentum(), make('saved')];
    step(optimizer, weight);
    const state = await optimizer.getWeights();
    return { state, known: new Map([['saved', weight]]) };
  };

  test('assigns the weights before the state is in place, once', async () => {
    const { state, known } = await saved();
    const optimizer = momentum();
    const assign = vi.fn<() => void>(() => expect(optimizer.iterations).toBe(0));
    await optimizer.loading(state, known, assign);
    expect(assign).toHaveBeenCalledOnce();
    expect(optimizer.iterations).toBe(1);
    optimizer.dispose();
  });

  test('into one that is disposed meanwhile assigns nothing, and says so', async () => {
    const { state, known } = await saved();
    const optimizer = momentum();
    const assign = vi.fn<() => void>();
    const loading = optimizer.loading(state, known, assign);
    optimizer.dispose();
    await expect(loading).rejects.toMatchObject({ code: 'DISPOSED' });
    expect(assign).not.toHaveBeenCalled();
  });

  test('prepared and left: its copies are gone, and steps go on', async () => {
    const { state, known } = await saved();
    const [weight] = [...known.values()] as [tf.Variable];
    const optimizer = momentum();
    step(optimizer, weight);
    const { numTensors } = tf.memory();
    (await optimizer.prepare(state)).dispose();
    expect(tf.memory().numTensors).toBe(numTensors);
    step(optimizer, weight);
    expect(optimizer.iterations).toBe(2);
    optimizer.dispose();
  });
});

test('callbacks() match restored state with a whole model, by its order', async () => {
  const layer = (name: string) => tfl.layers.dense({ units: 1, inputShape: [1], name });
  const modelOf = (name: string) => tfl.sequential({ layers: [layer(name)] });
  const first = modelOf('dense_Dense1');
  const of = (model: tfl.Sequential) => model.weights.map((each) => each.read() as tf.Variable);
  const optimizer = momentum();
  step(optimizer, ...of(first));
  const saved = (await optimizer.getWeights()).map(({ name, tensor }) => ({
    name,
    tensor: tensor.clone(),
  }));
  const second = modelOf('dense_Dense2');
  const other = modelOf('dense_Dense3'); // so that numbers alone decide nothing
  const restored = momentum({ learningRate: 0 });
  await restored.setWeights(saved);
  second.compile({ optimizer: restored, loss: 'meanSquaredError' });
  const [x, y] = [tf.ones([1, 1]), tf.ones([1, 1])];
  await second.fit(x, y, { epochs: 1, verbose: 0, callbacks: restored.callbacks() });
  expect(restored.state().map(({ weight }) => weight)).toEqual(of(second));
  for (const each of [optimizer, restored, first, second, other]) each.dispose();
  tf.dispose([x, y, ...saved.map(({ tensor }) => tensor)]);
});

test('entries of overrides that matched a frozen weight are not missed in the first step', () => {
  const warn = vi.spyOn(console, 'warn').mockReturnValue(undefined);
  const [trained, frozen] = [make('a'), make('frozen')];
  const optimizer = momentum({ overrides: [{ weights: 'frozen', moments: 'device:q8' }] });
  optimizer.checkOverrides([trained, frozen]);
  step(optimizer, trained);
  expect(warn).not.toHaveBeenCalled();
  optimizer.dispose();
});

test('reset() of some weights leaves the gradients of a step that is open', () => {
  const [a, b] = [make('a'), make('b')];
  const optimizer = sgd({ learningRate: 1, accumulate: 2 });
  step(optimizer, a, b);
  optimizer.reset([a]);
  optimizer.completeStep();
  expect(valuesOf(b)).toEqual([0.5]); // 1 − ½
  expect(() => optimizer.reset(a as never)).toThrow('reset() takes an array of variables');
  expect(() => optimizer.momentsOf('a' as never)).toThrow('momentsOf() takes a variable; weight 0');
  optimizer.dispose();
});

describe('moments on the host', () => {
  const started = () => {
    const host = new Host();
    registerEngine(tf.backend(), { device: currentDevice(), offloadedState: () => host });
    const weight = tf.tidy(() => tf.variable(tf.ones([4096]), true, 'large'));
    const optimizer = adam({ moments: 'host:f32', accumulate: 2 });
    return { host, weight, optimizer };
  };
  const apply = (optimizer: WeightwiseOptimizer, weight: tf.Variable, value: number) => {
    const gradient = tf.fill([4096], value);
    try {
      optimizer.applyGradients({ [weight.name]: gradient });
    } finally {
      gradient.dispose();
    }
  };

  test('are looked through for a NaN', async () => {
    const { weight, optimizer } = started();
    apply(optimizer, weight, 1);
    expect(await optimizer.firstBadOnHost(() => true)).toBeNull();
    apply(optimizer, weight, NaN);
    expect(await optimizer.firstBadOnHost(() => true)).toEqual({ weight, slot: 'm' });
    optimizer.dispose();
  });

  test('on their way, each call that needs them is refused, and nothing has changed', async () => {
    const { host, weight, optimizer } = started();
    apply(optimizer, weight, 1);
    apply(optimizer, weight, 1);
    const before = await weight.data();
    Object.assign(host, { isPending: true });
    expect(optimizer.due).toBe(true);
    const refused = { code: 'OFFLOAD_PENDING' };
    const codeOf = (call: () => unknown) => {
      try {
        call();
        return null;
      } catch (error) {
        return error;
      }
    };
    expect(codeOf(() => apply(optimizer, weight, 1))).toMatchObject(refused);
    expect(codeOf(() => optimizer.minimize(() => tf.sum(weight)))).toMatchObject(refused);
    expect(codeOf(() => optimizer.completeStep())).toMatchObject(refused);
    expect(codeOf(() => optimizer.adopt([weight]))).toMatchObject(refused);
    expect(codeOf(() => optimizer.reset([weight]))).toMatchObject(refused);
    expect(codeOf(() => optimizer.forget([weight]))).toMatchObject(refused);
    expect(await weight.data()).toEqual(before);
    expect(optimizer.iterations).toBe(1);
    Object.assign(host, { isPending: false });
    expect(optimizer.due).toBe(false);
    apply(optimizer, weight, 1);
    apply(optimizer, weight, 1);
    expect(optimizer.iterations).toBe(2);
    optimizer.dispose();
  });

  test('are saved when they are back; between micro-batches nobody waits for them', async () => {
    const { host, weight, optimizer } = started();
    apply(optimizer, weight, 1);
    Object.assign(host, { isPending: true });
    const flush = vi.spyOn(host, 'flush').mockImplementation(async () => {
      Object.assign(host, { isPending: false });
    });
    await expect(optimizer.getWeights()).rejects.toMatchObject({ code: 'STEP_OPEN' });
    expect(flush).not.toHaveBeenCalled();
    Object.assign(host, { isPending: false });
    apply(optimizer, weight, 1);
    Object.assign(host, { isPending: true });
    expect(await optimizer.getWeights()).toHaveLength(3);
    expect(flush).toHaveBeenCalledOnce();
    optimizer.dispose();
  });
});
