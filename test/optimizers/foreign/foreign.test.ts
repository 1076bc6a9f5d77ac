import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ForeignInner, asInner } from '#src/optimizers/foreign.js';
import { adam } from '#src/optimizers/index.js';
import type { InnerOptimizer } from '#src/optimizers/inner-optimizer.js';
import golden from '../../golden.json' with { type: 'json' };
import { halfSquare, onEveryEngine, valuesOf } from '../../engines.js';

onEveryEngine(() => {
  let before = 0;
  beforeEach(() => {
    tf.disposeVariables();
    before = tf.memory().numTensors;
  });
  afterEach(() => tf.disposeVariables());

  const weight = (values: number[], name?: string) =>
    tf.tidy(() => tf.variable(tf.tensor1d(values), true, name));
  const step = (inner: InnerOptimizer, ...weights: tf.Variable[]) =>
    inner.minimize(() => tf.addN<tf.Scalar>(weights.map(halfSquare)), false, weights);

  test('asInner: ours as they are, others in an adapter, anything else an error', () => {
    const own = adam();
    expect(asInner(own)).toBe(own);
    expect(asInner(tf.train.momentum(0.1, 0.9))).toBeInstanceOf(ForeignInner);
    expect(() => asInner('adam' as never)).toThrow(
      'must be one of slowlane\'s (sgd(), adam() …) or a tf.Optimizer (tf.train.…), got "adam" (string).',
    );
    expect(() => asInner(null as never)).toThrow('got null.');
    expect(() => asInner(undefined as never)).toThrow('got undefined.');
  });

  test('slots: every group of TensorFlow.js, each with its weight', async () => {
    const [a, b] = [weight([1, 2], 'a'), weight([3], 'b')];
    const inner = asInner(tf.train.adam(0.1));
    inner.adopt([a, b]);
    expect(await inner.state()).toEqual([]); // TensorFlow.js makes them in the first step
    step(inner, a, b);
    const tensors = tf.memory().numTensors;
    const slots = await inner.state();
    expect(tf.memory().numTensors).toBe(tensors);
    expect(slots.map((slot) => slot.weight)).toEqual([a, b, a, b]);
    expect(slots.map((slot) => slot.slots)).toEqual([['m'], ['m'], ['v'], ['v']]);
    expect(slots.map((slot) => slot.variable.shape)).toEqual([[2], [1], [2], [1]]);
    expect(valuesOf(slots[1]?.variable as tf.Tensor)[0]).toBeCloseTo(0.3, 6); // (1 − β₁)·3
    const moment = await inner.secondMoment(b);
    expect(moment?.diagonal).toBe(slots[3]?.variable);
    expect(moment?.scale).toBeCloseTo(1000, 0); // 1 / (1 − β₂)
  });

  test.each<[string, () => tf.Optimizer, string | null, number]>([
    ['SGD', () => tf.train.sgd(0.1), null, 0],
    ['Momentum', () => tf.train.momentum(0.1, 0.9), null, 0],
    ['RMSProp', () => tf.train.rmsprop(0.1, 0.9, 0.5, 1e-7, true), 'rms', 0],
    ['Adagrad', () => tf.train.adagrad(0.1, 0.5), 'accumulator', 0.5],
    ['Adadelta', () => tf.train.adadelta(), null, 0],
    ['Adam', () => tf.train.adam(0.1), 'v', 0],
  ])(
    '%s: reset makes the next steps those of a new one, and leaks nothing',
    async (_, make, moment, initial) => {
      const a = weight([1, -2]);
      const inner = asInner(make());
      for (let i = 0; i < 4; i++) step(inner, a);
      const slots = await inner.state();
      expect(slots.every((slot) => slot.initial === initial)).toBe(true);
      const found = await inner.secondMoment(a);
      expect(found === null).toBe(moment === null);
      const tensors = tf.memory().numTensors;
      await inner.reset();
      expect(tf.memory().numTensors).toBe(tensors);
      expect(inner.iterations).toBe(0);
      for (const slot of slots)
        expect(new Set(valuesOf(slot.variable))).toEqual(new Set([Math.fround(initial)]));

      const b = tf.tidy(() => tf.variable(tf.clone(a)));
      const fresh = asInner(make());
      for (let i = 0; i < 4; i++) {
        step(inner, a);
        step(fresh, b);
      }
      expect(valuesOf(a)).toEqual(valuesOf(b));
    },
  );

  test('reset of tf.train.adam takes the golden step 6', async () => {
    const x = tf.tidy(() => tf.variable(tf.scalar(1)));
    const inner = asInner(tf.train.adam(0.1));
    const seen: number[] = [];
    for (let i = 1; i <= 6; i++) {
      step(inner, x);
      if (i === 5) {
        tf.tidy(() => x.assign(tf.mul(tf.add(x, 1), 0.5))); // the sync: φ₀ = 1, α = ½
        await inner.reset();
      }
      seen.push(valuesOf(x)[0] ?? NaN);
    }
    seen.forEach((value, i) => expect(value).toBeCloseTo(golden.quadratic.adam.reset[i] ?? NaN, 5));
    expect(seen[5]).toBeCloseTo(0.6539818682, 5);
  });

  test('fewer weights keep their places, a new one is refused by name', () => {
    const [a, b, c] = [weight([8], 'a'), weight([16], 'b'), weight([1], 'c')];
    const inner = asInner(tf.train.momentum(1, 0.5));
    const one = tf.tensor1d([1]);
    inner.applyGradients({ a: one, b: one }); // m = 1, 1: 7, 15
    inner.applyGradients([{ name: 'b', tensor: one }]); // m of b = 1.5: 13.5
    inner.applyGradients([
      { name: 'b', tensor: one },
      { name: 'a', tensor: one },
    ]); // 1.75, 1.5: 11.75, 5.5
    expect([valuesOf(a), valuesOf(b)]).toEqual([[5.5], [11.75]]);
    expect(() => step(inner, a, c)).toThrow(
      'Momentum keeps its state by position in the list of its first step, [a, b], and has none for [c].',
    );
    expect(() => inner.adopt([c])).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_INNER' }));
    expect([valuesOf(a), valuesOf(c)]).toEqual([[5.5], [1]]);
    one.dispose();
  });

  test('tf.train.sgd keeps nothing of any weight: one may come later, and be forgotten', () => {
    const [a, b] = [weight([8], 'a'), weight([16], 'b')];
    const inner = asInner(tf.train.sgd(0.5));
    step(inner, a); // halves it: 4
    step(inner, a, b);
    inner.forget([a]);
    inner.assertWithin([b]);
    step(inner, b);
    expect([valuesOf(a), valuesOf(b)]).toEqual([[2], [4]]);
  });

  test('without a list the weights with a gradient train; begin hears of them before', () => {
    const [a, b] = [weight([1], 'a'), weight([1], 'b')];
    const inner = asInner(tf.train.adam(0.5)); // registers two trainable variables of its own
    const heard: string[] = [];
    inner.minimize(
      () => halfSquare(a),
      false,
      undefined,
      (weights) => {
        heard.push(...weights.map(({ name }) => `${name} ${valuesOf(a)[0]}`));
      },
    );
    expect(heard).toEqual(['a 1']);
    expect(valuesOf(a)[0]).toBeCloseTo(0.5, 5);
    expect(valuesOf(b)).toEqual([1]);
  });

  test('state goes through getWeights and setWeights without a leak', async () => {
    const a = weight([1, 2]);
    const inner = asInner(tf.train.momentum(0.1, 0.9));
    for (let i = 0; i < 3; i++) step(inner, a);
    const tensors = tf.memory().numTensors;
    const saved = await inner.getWeights();
    expect(tf.memory().numTensors).toBe(tensors);
    expect(saved[0]?.name).toBe('iter');
    const file = saved.map(({ name, tensor }) => ({ name, tensor: tensor.clone() }));
    const [b, other] = [
      tf.tidy(() => tf.variable(tf.clone(a))),
      asInner(tf.train.momentum(0.1, 0.9)),
    ];
    step(other, b);
    tf.tidy(() => b.assign(tf.clone(a)));
    const between = tf.memory().numTensors;
    const loading = other.setWeights(file);
    tf.dispose(file.map(({ tensor }) => tensor));
    await loading;
    expect(tf.memory().numTensors).toBe(between - file.length);
    expect(other.iterations).toBe(3);
    step(inner, a);
    step(other, b);
    expect(valuesOf(b)).toEqual(valuesOf(a));
  });

  test('dispose() reaches the optimizer once', () => {
    const optimizer = new Halving();
    const inner = asInner(optimizer);
    inner.dispose();
    inner.dispose();
    expect(optimizer.disposals).toBe(1);
  });

  test('dispose frees everything, also what Momentum forgets, and may be called twice', () => {
    for (const make of [
      () => tf.train.momentum(0.1, 0.9),
      () => tf.train.sgd(0.1),
      () => tf.train.adam(0.1),
    ]) {
      const a = weight([1]);
      const inner = asInner(make());
      step(inner, a);
      inner.dispose();
      inner.dispose();
      a.dispose();
      expect(tf.memory().numTensors).toBe(before);
    }
  });

  test('Adamax trains, and says so when its state is needed', async () => {
    const a = weight([1]);
    const inner = asInner(tf.train.adamax(0.1));
    expect(inner.supportsState).toBe(false);
    step(inner, a);
    expect(valuesOf(a)[0]).toBeLessThan(1);
    const refusal = {
      code: 'UNSUPPORTED_INNER',
      message: expect.stringContaining('Adamax cannot list') as string,
    };
    await expect(Promise.resolve(inner.state())).rejects.toMatchObject(refusal);
    await expect(Promise.resolve(inner.reset())).rejects.toMatchObject(refusal);
    await expect(inner.getWeights()).rejects.toMatchObject(refusal);
    await expect(inner.setWeights([])).rejects.toMatchObject(refusal);
    expect(await inner.secondMoment(a)).toBeNull();
  });

  test('a user’s own optimizer trains; without getWeights its state is refused', async () => {
    const a = weight([4]);
    const inner = asInner(new Halving());
    step(inner, a);
    expect(valuesOf(a)).toEqual([2]);
    expect(inner.supportsState).toBe(false);
    await expect(Promise.resolve(inner.state())).rejects.toMatchObject({
      code: 'UNSUPPORTED_INNER',
    });
  });
});

class Halving extends tf.Optimizer {
  static readonly className = 'Halving';
  disposals = 0;
  override dispose(): void {
    this.disposals += 1;
  }
  override applyGradients(
    gradients: tf.NamedTensorMap | { name: string; tensor: tf.Tensor }[],
  ): void {
    const names = Array.isArray(gradients)
      ? gradients.map(({ name }) => name)
      : Object.keys(gradients);
    for (const name of names) {
      const variable = tf.engine().registeredVariables[name];
      if (variable) tf.tidy(() => variable.assign(tf.mul(variable, 0.5)));
    }
  }
  override getConfig(): tf.serialization.ConfigDict {
    return {};
  }
}
