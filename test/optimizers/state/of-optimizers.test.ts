import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { adagrad, adam, momentum, rmsprop, sgd } from '#src/optimizers/index.js';
import type { WeightwiseOptimizer } from '#src/optimizers/weightwise.js';
import { hostTensor } from '#src/tfjs/host-tensor.js';
import { halfSquare, onEveryEngine, valuesOf } from '../../engines.js';

onEveryEngine(() => {
  let before = 0;
  beforeEach(() => {
    before = tf.memory().numTensors;
  });
  afterEach(() => {
    tf.disposeVariables();
    expect(tf.memory().numTensors).toBe(before);
  });

  const weight = (values: number[], name?: string) =>
    tf.tidy(() => tf.variable(tf.tensor1d(values), true, name));
  const step = (optimizer: WeightwiseOptimizer, ...weights: tf.Variable[]) =>
    optimizer.minimize(() => tf.addN<tf.Scalar>(weights.map(halfSquare)), false, weights);
  /** A saved state as it comes from a file: real tensors, which the loader disposes. */
  const fromFile = async (optimizer: WeightwiseOptimizer) =>
    (await optimizer.getWeights()).map(({ name, tensor }) => ({
      name,
      tensor: tensor instanceof tf.Variable ? tf.clone(tensor) : tensor.clone(),
    }));
  const load = async (
    optimizer: WeightwiseOptimizer,
    saved: Awaited<ReturnType<typeof fromFile>>,
  ) => {
    const loading = optimizer.setWeights(saved);
    tf.dispose(saved.map(({ tensor }) => tensor)); // at once: the copy is made in the synchronous part
    await loading;
  };

  test('a restored state for whose slots there was no memory is found again', async () => {
    const train = async (isFailing: boolean) => {
      const w = weight([1, 2], 'w');
      const first = adam();
      step(first, w);
      const saved = await fromFile(first);
      first.dispose();
      const optimizer = adam();
      await load(optimizer, saved);
      if (isFailing) {
        const engine = tf.engine();
        const make = engine.makeVariable.bind(engine);
        engine.makeVariable = () => {
          throw new RangeError('no room');
        };
        expect(() => step(optimizer, w)).toThrow('no room');
        engine.makeVariable = make;
      }
      step(optimizer, w);
      const values = [valuesOf(w), ...optimizer.state().map(({ variable }) => valuesOf(variable))];
      optimizer.dispose();
      w.dispose();
      return values;
    };
    expect(await train(true)).toEqual(await train(false));
  });

  test('getWeights: the counters first, then the slots weight by weight, and no new tensor', async () => {
    const [a, b] = [weight([1, 2], 'a'), weight([3], 'b')];
    const optimizer = adam();
    step(optimizer, a);
    step(optimizer, a, b);
    const tensors = tf.memory();
    const saved = await optimizer.getWeights();
    expect(tf.memory()).toEqual(tensors);
    expect(saved.map(({ name }) => name)).toEqual(['adam/counters', 'a/m', 'a/v', 'b/m', 'b/v']);
    expect(await saved[0]?.tensor.data()).toEqual(Int32Array.of(2, 2, 2, 1));
    expect(saved.slice(1).map(({ tensor }) => tensor)).toEqual(
      optimizer.state().map((s) => s.variable),
    );
  });

  test('two optimizers may hold slots for one weight', () => {
    const a = weight([1], 'shared');
    const [first, second] = [momentum(), momentum()];
    step(first, a);
    step(second, a);
    const names = [...first.state(), ...second.state()].map((slot) => slot.variable.name);
    expect(names).toEqual(['shared/m', 'shared/m_1']);
    expect(first.state()[0]?.variable.trainable).toBe(false);
  });

  test.each<[string, () => WeightwiseOptimizer]>([
    ['sgd', () => sgd({ learningRate: 0.1 })],
    ['adam', () => adam({ learningRate: 0.1 })],
    ['rmsprop', () => rmsprop({ learningRate: 0.1, momentum: 0.5, centered: true })],
  ])('%s goes on bit for bit after a restore into other variables', async (_, make) => {
    const [a, b] = [weight([1, 2]), weight([3])];
    const original = make();
    for (let i = 0; i < 3; i++) step(original, a, b);
    const saved = await fromFile(original);
    const [c, d] = tf.tidy(() => [tf.variable(tf.clone(a)), tf.variable(tf.clone(b))] as const);
    const restored = make();
    await load(restored, saved);
    expect(restored.iterations).toBe(3);
    for (let i = 0; i < 3; i++) {
      step(original, a, b);
      step(restored, c, d);
    }
    expect([valuesOf(c), valuesOf(d)]).toEqual([valuesOf(a), valuesOf(b)]);
    expect(restored.iterations).toBe(6);
  });

  test('what is saved while a part of it waits can be loaded', async () => {
    const names = ['a_A1/w', 'a_A2/w', 'b_B1/w', 'b_B2/w'];
    const [a, , b] = names.map((name) => weight([1], name)) as [
      tf.Variable,
      tf.Variable,
      tf.Variable,
    ];
    const first = momentum();
    step(first, a, b); // the others are frozen, and counted with these
    const second = momentum();
    await load(second, await fromFile(first));
    step(second, a); // b waits
    const third = momentum();
    await load(third, await fromFile(second));
    third.adopt([a, b]);
    expect(third.state().map((state) => [state.weight, ...valuesOf(state.variable)])).toEqual([
      [a, expect.closeTo(1.89, 5)], // 0.9·1 + 0.99
      [b, 1],
    ]);
    for (const each of [first, second, third]) each.dispose();
  });

  test('restored state waits for its weights, and is saved again while it waits', async () => {
    const [a, b] = [weight([1, 2], 'left'), weight([3], 'right')];
    const original = momentum();
    step(original, a, b);
    const restored = momentum();
    await load(restored, await fromFile(original));
    const waiting = await restored.getWeights();
    expect(waiting.map(({ name }) => name)).toEqual(['momentum/counters', 'left/m', 'right/m']);
    expect(valuesOf(waiting[1]?.tensor as tf.Tensor)).toEqual([1, 2]);
    restored.adopt([b]); // by name, though it was saved second
    expect(restored.state().map(({ variable }) => valuesOf(variable))).toEqual([[3]]);
    const halfway = await restored.getWeights();
    expect(halfway.map(({ name }) => name)).toEqual(['momentum/counters', 'right/m', 'left/m']);
    expect(await halfway[0]?.tensor.data()).toEqual(Int32Array.of(1, 2, 1, 1));
    restored.dispose(); // also what still waits
  });

  test('state that does not fit is refused before anything changes', async () => {
    const [a, b] = [weight([1, 2], 'old'), weight([1, 2, 3], 'new')];
    const original = momentum();
    step(original, a);
    const restored = momentum();
    await load(restored, await fromFile(original));
    const tensors = tf.memory().numTensors;
    expect(() => step(restored, b)).toThrow(
      expect.objectContaining({
        code: 'STATE_MISMATCH',
        message: expect.stringMatching(/\[2\].*\[3\]/) as string,
      }),
    );
    expect(valuesOf(b)).toEqual([1, 2, 3]);
    expect(tf.memory().numTensors).toBe(tensors);
    restored.dispose();
  });

  test('a state of another optimizer is refused and changes nothing', async () => {
    const a = weight([1, 2]);
    const [one, two] = [momentum(), adam()];
    step(one, a);
    step(two, a);
    const tensors = tf.memory().numTensors;
    await expect(load(two, await fromFile(one))).rejects.toThrow(
      'must have 2 state tensors for each of its 1 weights, got 1',
    );
    await expect(two.setWeights([])).rejects.toMatchObject({ code: 'STATE_MISMATCH' });
    const float = { name: 'iter', tensor: tf.scalar(1) };
    await expect(two.setWeights([float])).rejects.toThrow(
      "must begin with its counters, got 'iter' (float32, shape [])",
    );
    float.tensor.dispose();
    expect(two.iterations).toBe(1);
    expect(tf.memory().numTensors).toBe(tensors);
  });

  test('an earlier state can be put back into the optimizer that saved it', async () => {
    const [a, b] = [weight([1]), weight([1])];
    const optimizer = momentum({ learningRate: 1, momentum: 0.5 });
    step(optimizer, a); // m of a: 1
    const saved = await fromFile(optimizer);
    step(optimizer, a, b);
    const variables = optimizer.state().map((slot) => slot.variable);
    await load(optimizer, saved);
    expect(optimizer.state().map((slot) => slot.variable)).toEqual(variables);
    expect(variables.map(valuesOf)).toEqual([[1], [0]]);
    expect(optimizer.iterations).toBe(1);
  });

  test('a step while the state is being restored is refused', async () => {
    const a = weight([1]);
    const optimizer = momentum();
    step(optimizer, a);
    const loading = optimizer.setWeights(await optimizer.getWeights());
    expect(() => step(optimizer, a)).toThrow('await setWeights() first');
    await loading;
    step(optimizer, a);
    expect(optimizer.iterations).toBe(2);
  });

  test('disposed in the middle of a restore it stays disposed and keeps nothing', async () => {
    const a = weight([1]);
    const optimizer = momentum();
    step(optimizer, a);
    const saved = await fromFile(optimizer);
    const loading = load(optimizer, saved);
    optimizer.dispose();
    await loading;
    expect(() => step(optimizer, a)).toThrow('disposed');
  });

  test('adopt makes the slots before the first step, in the order given, once', () => {
    const [a, b] = [weight([1, 2]), weight([3])];
    const optimizer = adagrad({ initialAccumulatorValue: 0.5 });
    optimizer.adopt([b, a]);
    optimizer.adopt([a, b]);
    const slots = optimizer.state();
    expect(slots.map((slot) => slot.weight)).toEqual([b, a]);
    expect(slots.map((slot) => slot.initial)).toEqual([0.5, 0.5]);
    expect(slots.map((slot) => valuesOf(slot.variable))).toEqual([[0.5], [0.5, 0.5]]);
    expect(optimizer.iterations).toBe(0);
  });

  test('reset: slots and bias corrections are as new, the schedule goes on', () => {
    const a = weight([1]);
    const optimizer = adam({ learningRate: (i) => (i < 3 ? 0.1 : 0.25) });
    for (let i = 0; i < 3; i++) step(optimizer, a);
    const variables = optimizer.state().map((slot) => slot.variable);
    optimizer.reset();
    expect(variables.map(valuesOf)).toEqual([[0], [0]]);
    const value = valuesOf(a)[0] ?? NaN;
    step(optimizer, a); // a first step of Adam moves by the rate
    expect(valuesOf(a)[0]).toBeCloseTo(value - 0.25, 5);
    expect(optimizer.state().map((slot) => slot.variable)).toEqual(variables);
    expect(optimizer.iterations).toBe(4);
  });

  test('secondMoment is Adam’s v, RMSProp’s mean square, Adagrad’s sum, and nothing of others', () => {
    const a = weight([2]); // gradient 2, squared 4
    const of = (optimizer: WeightwiseOptimizer) => {
      step(optimizer, a);
      const moment = optimizer.secondMoment(a);
      tf.tidy(() => a.assign(tf.tensor1d([2])));
      return moment && (valuesOf(moment.diagonal)[0] ?? NaN) * moment.scale;
    };
    expect(of(adam({ beta2: 0.5 }))).toBeCloseTo(4, 6); // v = (1 − ½)·4, bias corrected
    expect(of(rmsprop({ decay: 0.75 }))).toBeCloseTo(4, 6); // rms = (1 − ¾)·4, likewise
    expect(of(adagrad({ initialAccumulatorValue: 0.5 }))).toBeCloseTo(4.5, 6); // the sum of one step
    expect(of(momentum())).toBeNull();
    expect(adam().secondMoment(a)).toBeNull(); // not seen yet
    const seen = adam();
    seen.adopt([a]);
    expect(seen.secondMoment(a)).toBeNull(); // and took no step
    expect([adam(), momentum()].map((each) => each.hasSecondMoment)).toEqual([true, false]);
    const twice = adagrad({ learningRate: 0, initialAccumulatorValue: 0.5 });
    step(twice, a);
    step(twice, a);
    expect(of(twice)).toBeCloseTo((0.5 + 3 * 4) / 3, 6); // the mean of the squares
  });

  test('slots of a disposed weight go when a new one comes', () => {
    const optimizer = momentum();
    for (let i = 0; i < 3; i++) {
      const a = weight([1], 'same-name');
      step(optimizer, a);
      expect(optimizer.state()).toHaveLength(1);
      expect(valuesOf(a)[0]).toBeCloseTo(0.99, 6); // a fresh momentum
      a.dispose();
    }
  });
});

test('a host tensor is a tensor that the engine does not know', async () => {
  await tf.setBackend('cpu');
  const memory = tf.memory();
  const values = Float32Array.of(1, 2, 3, 4, 5, 6);
  const tensor = tf.tidy(() => hostTensor(values.subarray(2), [2, 2]));
  expect(tensor instanceof tf.Tensor).toBe(true);
  expect([tensor.shape, tensor.dtype, tensor.rank]).toEqual([[2, 2], 'float32', 2]);
  expect(await tensor.data()).toEqual(Float32Array.of(3, 4, 5, 6));
  expect(await tensor.bytes()).toEqual(new Uint8Array(values.buffer, 8, 16));
  expect(tf.memory()).toEqual(memory);
  const copy = tensor.clone();
  values.fill(0);
  expect(valuesOf(copy)).toEqual([3, 4, 5, 6]);
  copy.dispose();
  tensor.dispose();
  tensor.dispose();
  await expect(tensor.data()).rejects.toThrow('disposed');
  expect(tf.memory()).toEqual(memory);
  expect(() => hostTensor(Int32Array.of(1), [2])).toThrow(
    'A tensor of shape [2] has 2 elements, got 1.',
  );
});
