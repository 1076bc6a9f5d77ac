// saveTraining() and loadTraining() with an optimizer that has nothing but what every one has.

import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, describe, expect, test } from 'vitest';

import { unpackFile } from '#src/snapshot/packed-tensors.js';
import {
  loadTraining,
  saveTraining,
  type SavableModel,
  type SavableOptimizer,
} from '#src/snapshot/training-state.js';
import type { NamedTensor } from '#src/tfjs/named-tensor.js';

afterEach(() => {
  tf.disposeVariables();
});

const variable = (name: string, ...values: number[]) =>
  tf.tidy(() => tf.variable(tf.tensor1d(values), true, name));

const asWeights = (...variables: tf.Variable[]) => variables.map((read) => ({ read: () => read }));

class Plain implements SavableOptimizer {
  iterations = 0;
  state: NamedTensor[] = [];
  readonly name: string;
  constructor(name = 'Plain') {
    this.name = name;
  }
  getClassName(): string {
    return this.name;
  }
  async getWeights(): Promise<NamedTensor[]> {
    return this.state;
  }
  async setWeights(weights: NamedTensor[]): Promise<void> {
    this.state = weights;
  }
}

test('weights and state go into the file and come back, and no tensor is left', async () => {
  const [optimizer, a, b] = [new Plain(), variable('a', 1, 2), variable('b', 3)];
  const m = variable('m', 4);
  const host = tf.tensor1d([5, 6], 'int32');
  optimizer.state = [
    { name: 'm', tensor: m },
    { name: 'n', tensor: host },
  ];
  const { numTensors } = tf.memory();
  const bytes = await saveTraining(optimizer, [a, b]);
  expect(tf.memory().numTensors).toBe(numTensors);
  expect(host.isDisposed).toBe(false);
  expect(unpackFile(bytes)).toEqual({
    optimizer: 'Plain',
    areInOrder: false,
    weights: [
      { name: 'a', shape: [2], values: Float32Array.of(1, 2) },
      { name: 'b', shape: [1], values: Float32Array.of(3) },
    ],
    state: [
      { name: 'm', shape: [1], values: Float32Array.of(4) },
      { name: 'n', shape: [2], values: Int32Array.of(5, 6) },
    ],
  });
  tf.tidy(() => a.assign(tf.zerosLike(a)));
  const other = new Plain();
  await loadTraining(bytes, other, [a, b]);
  expect([[...a.dataSync()], [...b.dataSync()]]).toEqual([[1, 2], [3]]);
  expect(
    other.state.map(({ name, tensor }) => [name, tensor.dtype, [...tensor.dataSync()]]),
  ).toEqual([
    ['m', 'float32', [4]],
    ['n', 'int32', [5, 6]],
  ]);
  expect(tf.memory().numTensors).toBe(numTensors);
  host.dispose();
});

describe('while saveTraining() reads', () => {
  const running = { code: 'SYNC_RUNNING' };

  test('a step is noticed by its count', async () => {
    const [optimizer, a] = [new Plain(), variable('a', 1)];
    const saving = saveTraining(optimizer, [a]);
    optimizer.iterations = 1;
    await expect(saving).rejects.toMatchObject(running);
    await expect(saveTraining(optimizer, [a])).resolves.toBeInstanceOf(Uint8Array);
  });

  test('a new value of a weight, or of state, is noticed', async () => {
    const [optimizer, a, m] = [new Plain(), variable('a', 1), variable('m', 1)];
    optimizer.state = [{ name: 'm', tensor: m }];
    for (const changing of [a, m]) {
      const { numTensors } = tf.memory();
      const saving = saveTraining(optimizer, [a]);
      await Promise.resolve(); // the state is there, and the reading has begun
      tf.tidy(() => changing.assign(tf.tensor1d([2])));
      await expect(saving).rejects.toMatchObject(running);
      expect(tf.memory().numTensors).toBe(numTensors);
    }
  });

  test('a weight or state that is disposed is noticed', async () => {
    const [optimizer, a, m] = [new Plain(), variable('a', 1), variable('m', 1)];
    optimizer.state = [{ name: 'm', tensor: m }];
    const saving = saveTraining(optimizer, [a]);
    await Promise.resolve();
    a.dispose();
    await expect(saving).rejects.toMatchObject(running);
    m.dispose();
    await expect(saveTraining(optimizer, [variable('a', 1)])).rejects.toMatchObject(running);
  });
});

describe('loadTraining()', () => {
  const fileOf = async (...weights: tf.Variable[]) => saveTraining(new Plain(), weights);

  test('refuses the state of another class, and says of which', async () => {
    const a = variable('a', 1);
    const bytes = await saveTraining(new Plain('P'.repeat(100)), [a]);
    await expect(loadTraining(bytes, new Plain(), [a])).rejects.toThrow(
      /^The state is of a P{80}, not of a Plain\.$/,
    );
    // Only slowlane's own take over what one of tfjs saved.
    await expect(
      loadTraining(await saveTraining(new Plain('Adam'), [a]), new Plain(), [a]),
    ).rejects.toThrow(/is of a Adam, not/);
    await loadTraining(await saveTraining(new Plain('Adam'), [a]), new Plain('SlowlaneAdam'), [a]);
  });

  test('refuses values of another type, and changes nothing', async () => {
    const a = variable('a', 1);
    const bytes = await fileOf(a);
    a.dispose();
    const integer = tf.tidy(() => tf.variable(tf.tensor1d([7], 'int32'), false, 'a'));
    const load = loadTraining(bytes, new Plain(), [integer]);
    await expect(load).rejects.toMatchObject({ code: 'STATE_MISMATCH' });
    await expect(load).rejects.toThrow("has no int32 values for the weight 'a'");
    expect([...integer.dataSync()]).toEqual([7]);
  });

  test('a weight that is disposed meanwhile is left out', async () => {
    const [a, b] = [variable('a', 1), variable('b', 2)];
    const bytes = await fileOf(a, b);
    tf.tidy(() => b.assign(tf.tensor1d([9])));
    const optimizer = new Plain();
    optimizer.setWeights = async () => a.dispose();
    const { numTensors } = tf.memory();
    await loadTraining(bytes, optimizer, [a, b]);
    expect([...b.dataSync()]).toEqual([2]);
    expect(tf.memory().numTensors).toBe(numTensors - 1);
  });

  test('an optimizer that loads by itself gets the state, the owners and what is trained', async () => {
    const [a, b] = [variable('a', 1), variable('b', 2)];
    const bytes = await fileOf(a, b);
    tf.tidy(() => b.assign(tf.tensor1d([9])));
    const calls: unknown[] = [];
    const optimizer = Object.assign(new Plain(), {
      loading: async (
        state: NamedTensor[],
        known: unknown,
        assign: () => void,
        trained: unknown,
      ) => {
        calls.push([state.length, known, trained]);
        assign();
      },
    });
    await loadTraining(bytes, optimizer, [a, b]);
    const model = { weights: asWeights(a, b), trainableWeights: asWeights(b) };
    await loadTraining(bytes, optimizer, model);
    const known = new Map([
      ['a', a],
      ['b', b],
    ]);
    expect(calls).toEqual([
      [0, known, undefined],
      [0, known, [b]],
    ]);
    expect([...b.dataSync()]).toEqual([2]);
  });

  test('where both are models of layers that tfjs named, equal names at other places are refused', async () => {
    const [a, b] = [variable('dense_Dense1/kernel', 1), variable('dense_Dense2/kernel', 2)];
    const layers = [a, b].map((weight) => ({ weights: asWeights(weight) }));
    const [model, turned] = [layers, layers.toReversed()].map((own) => {
      return { weights: asWeights(a, b), layers: own };
    });
    const inLayers = await saveTraining(new Plain(), model as SavableModel);
    const inList = await fileOf(a, b);
    const clear = () => tf.tidy(() => [a, b].forEach((weight) => weight.assign(tf.tensor1d([9]))));
    const values = () => [a, b].flatMap((weight) => [...weight.dataSync()]);
    clear();
    await expect(loadTraining(inLayers, new Plain(), turned as SavableModel)).rejects.toThrow(
      'neither names nor order',
    );
    expect(values()).toEqual([9, 9]);
    // The order of a list says nothing of layers, so the names decide.
    for (const [bytes, into] of [
      [inLayers, [b, a]],
      [inList, turned],
      [inList, [b, a]],
    ] as [Uint8Array, SavableModel][]) {
      clear();
      await loadTraining(bytes, new Plain(), into);
      expect(values()).toEqual([1, 2]);
    }
  });

  test("tfjs's sgd has no state of weights, and of an own class of tf.Optimizer nothing is known", async () => {
    class Own extends tf.Optimizer {
      static readonly className = 'Own';
      applyGradients(): void {}
      getConfig(): tf.serialization.ConfigDict {
        return {};
      }
      override getWeights = async () => [];
      override setWeights = async () => {};
    }
    const a = variable('a', 1);
    const model = { weights: asWeights(a), trainableWeights: asWeights(a) };
    for (const optimizer of [tf.train.sgd(0.1), new Own()]) {
      const bytes = await saveTraining(optimizer, model);
      tf.tidy(() => a.assign(tf.tensor1d([9])));
      await loadTraining(bytes, optimizer, model);
      expect([...a.dataSync()]).toEqual([1]);
    }
  });

  test('integers are kept too', async () => {
    const integers = tf.tidy(() => tf.variable(tf.tensor1d([7, -1], 'int32'), false, 'ints'));
    const bytes = await fileOf(integers);
    tf.tidy(() => integers.assign(tf.tensor1d([0, 0], 'int32')));
    await loadTraining(bytes, new Plain(), [integers]);
    expect([...integers.dataSync()]).toEqual([7, -1]);
  });

  test('the state is set before the weights: a state that is refused changes none', async () => {
    const a = variable('a', 1);
    const bytes = await fileOf(a);
    tf.tidy(() => a.assign(tf.tensor1d([9])));
    const optimizer = new Plain();
    optimizer.setWeights = () => Promise.reject(new Error('refused'));
    await expect(loadTraining(bytes, optimizer, [a])).rejects.toThrow('refused');
    expect([...a.dataSync()]).toEqual([9]);
  });

  test('of 2 weights it takes 8 · 3 tensors, and no more', async () => {
    const weights = [variable('a', 1), variable('b', 2)];
    const optimizer = new Plain();
    const tensor = tf.scalar(1);
    const withState = async (count: number) => {
      optimizer.state = Array.from({ length: count }, (_, i) => ({ name: `${i}`, tensor }));
      const bytes = await saveTraining(optimizer, weights);
      return loadTraining(bytes, new Plain(), weights);
    };
    await withState(22);
    await expect(withState(23)).rejects.toThrow('it has 23 tensors, more than 22');
    tensor.dispose();
  });
});

test('wrong arguments are refused with what was received', async () => {
  const a = variable('a', 1);
  const bytes = await saveTraining(new Plain(), [a]);
  const without = (name: string) =>
    Object.assign(Object.create(new Plain()) as Plain, { [name]: undefined });
  const wrong: readonly unknown[] = [
    null,
    undefined,
    5,
    'adam',
    {},
    Plain,
    without('getClassName'),
    without('getWeights'),
    without('setWeights'),
  ];
  for (const optimizer of wrong) {
    await expect(saveTraining(optimizer as never, [a])).rejects.toThrow(
      /^saveTraining\(\) takes an optimizer, got /,
    );
    await expect(loadTraining(bytes, optimizer as never, [a])).rejects.toThrow(
      /^loadTraining\(\) takes an optimizer, got /,
    );
  }
  await expect(loadTraining(bytes.buffer as never, new Plain(), [a])).rejects.toThrow(
    /^loadTraining\(\) takes the bytes that saveTraining\(\) gave, got /,
  );
  await expect(saveTraining(new Plain(), {} as never)).rejects.toThrow(
    /^saveTraining\(\) takes a L/,
  );
  await expect(loadTraining(bytes, new Plain(), {} as never)).rejects.toThrow(
    /^loadTraining\(\) ta/,
  );
  const flag = tf.tidy(() => tf.variable(tf.tensor1d([1], 'bool'), false, 'flag'));
  await expect(saveTraining(new Plain(), [a, flag])).rejects.toThrow(
    "saveTraining() keeps float32 and int32; the weight 'flag' is bool.",
  );
});
