// What an update in the heap takes, what it leaves alone, and when it runs as tensor operations.

import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs';
import { adam, adaptive, lookahead, sgd } from 'slowlane';
import { startWasm, type WasmEngine } from 'slowlane/wasm';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { type Engine, engineOf, registerEngine, unregisterEngine } from '#src/engine/engine.js';
import { updateModule } from '#src/engines/wasm/update/update-module.js';
import { NEAREST } from '#src/formula/quantization.js';
import type { Assignment } from '#src/formula/update-rule.js';
import type { WeightUpdate } from '#src/formula/weight-update.js';
import { isWasmBackend, positionOf, type WasmBackend } from '#src/tfjs/wasm-backend.js';

import { halfSquare, valuesOf } from '../../../engines.js';

let engine: WasmEngine;
let backend: WasmBackend;
let tensorsBefore = 0;

beforeEach(async () => {
  engine = await startWasm();
  if (!isWasmBackend(engine.backend)) throw new Error('The engine is not on wasm.');
  backend = engine.backend;
  tensorsBefore = tf.memory().numTensors;
});

afterEach(() => {
  tf.disposeVariables();
  expect(tf.memory().numTensors).toBe(tensorsBefore);
  engine.stop();
});

const variable = (...values: number[]) => tf.tidy(() => tf.variable(tf.tensor1d(values)));

/** What `_malloc` was asked for during `work`, in bytes. */
function allocated(work: () => void): number[] {
  const { wasm } = backend;
  const { _malloc: own } = wasm;
  const asked: number[] = [];
  wasm._malloc = (bytes) => {
    asked.push(bytes);
    return own(bytes);
  };
  try {
    work();
  } finally {
    wasm._malloc = own;
  }
  return asked;
}

/** One update by the engine. */
function update(given: Partial<WeightUpdate> & Pick<WeightUpdate, 'weight' | 'gradient'>): void {
  engineOf(backend)?.update?.({
    rule: null,
    formula: [descend],
    state: new Map(),
    quantized: null,
    rounding: NEAREST,
    takesGradient: false,
    clip: { by: 'nothing' },
    scalars: {},
    ...given,
  });
}

/** weight ← weight − gradient */
const descend: Assignment<'m', never> = {
  target: 'weight',
  value: (x, o) => o.sub(x.weight, x.gradient),
};
/** m ← m + weight */
const gather: Assignment<'m', never> = { target: 'm', value: (x, o) => o.add(x.m, x.weight) };

describe('what a step costs', () => {
  test('adam: no allocation, and the weight and its moments stay where they are', () => {
    const weight = variable(1, 2, 3, 4, 5);
    const gradient = tf.tensor1d([1, -1, 1, -1, 1]);
    const optimizer = adam({ learningRate: 0.5 });
    const step = () => optimizer.applyGradients([{ name: weight.name, tensor: gradient }]);
    step(); // makes the moments
    const all = [weight, ...optimizer.state().map((state) => state.variable)];
    const places = () => all.map((tensor) => positionOf(backend, tensor));
    const before = places();
    expect(allocated(() => [step(), step()])).toEqual([]);
    expect(places()).toEqual(before);
    // Each of the three steps is half a unit against the gradient.
    [-0.5, 3.5, 1.5, 5.5, 3.5].forEach((value, i) =>
      expect(valuesOf(weight)[i]).toBeCloseTo(value, 5),
    );
    optimizer.dispose();
    gradient.dispose();
  });

  test('a gradient that is taken is freed, also if the formula fails; nothing has changed then', () => {
    const weight = variable(5, 6);
    const state = new Map([['m', variable(1, 1)]]);
    const before = tf.memory().numTensors;
    update({ weight, state, gradient: tf.tensor1d([1, 2]), takesGradient: true });
    expect(valuesOf(weight)).toEqual([4, 4]);
    const fails: Assignment<'m', never> = {
      target: 'weight',
      value() {
        throw new Error('no formula');
      },
    };
    for (const formula of [
      [descend, fails],
      [descend, { ...gather, target: 'v' } as unknown as Assignment],
    ]) {
      const gradient = tf.tensor1d([1, 2]);
      expect(() => update({ weight, state, formula, gradient, takesGradient: true })).toThrow(
        formula[1] === fails ? 'no formula' : "The rule has no state 'v'.",
      );
    }
    expect(tf.memory().numTensors).toBe(before);
    expect([...state.values(), weight].map(valuesOf)).toEqual([
      [1, 1],
      [4, 4],
    ]);
  });

  test('an assignment sees what those before it wrote', () => {
    const weight = variable(5, 6, 7, 8, 9);
    const state = new Map([['m', variable(1, 1, 1, 1, 1)]]);
    const gradient = tf.tensor1d([1, 2, 3, 4, 5]);
    // weight 4; m ← 1 + 4; weight ← 4 − 1; m ← 5 + 3
    update({ weight, state, gradient, formula: [descend, gather, descend, gather] });
    expect(valuesOf(weight)).toEqual([3, 2, 1, 0, -1]);
    expect(valuesOf(state.get('m') as tf.Variable)).toEqual([8, 7, 6, 5, 4]);
    gradient.dispose();
  });
});

describe('data that something else holds', () => {
  test('a reshaped view keeps the old values; the variable leaves it once', () => {
    const weight = variable(1, 2, 3, 4, 5);
    const view = tf.reshape(weight, [5, 1]);
    const optimizer = sgd({ learningRate: 0.5 });
    const step = () => optimizer.minimize(() => halfSquare(weight), false, [weight]);
    step();
    const place = positionOf(backend, weight);
    step();
    expect(positionOf(backend, weight)).toBe(place);
    expect(valuesOf(view)).toEqual([1, 2, 3, 4, 5]);
    expect(valuesOf(weight)).toEqual([0.25, 0.5, 0.75, 1, 1.25]); // halved twice
    view.dispose();
  });

  test('two variables of one tensor part at the first step', () => {
    const shared = tf.tensor1d([2, 4]);
    const [a, b] = [tf.variable(shared), tf.variable(shared)];
    shared.dispose();
    sgd({ learningRate: 0.5 }).minimize(() => halfSquare(a), false, [a]);
    expect([a, b].map(valuesOf)).toEqual([
      [1, 2],
      [2, 4],
    ]);
  });

  test('a gradient that is the weight, or a view of it, is read before the weight is written', () => {
    for (const gradientOf of [(w: tf.Variable) => w, (w: tf.Variable) => tf.reshape(w, [2])]) {
      const weight = variable(3, 4);
      const state = new Map([['m', variable(1, 1)]]);
      const gradient = gradientOf(weight);
      const keeps: Assignment<'m', never> = {
        target: 'm',
        value: (x, o) => o.add(x.m, x.gradient),
      };
      update({ weight, state, gradient, formula: [descend, keeps] });
      expect([weight, ...state.values()].map(valuesOf)).toEqual([
        [0, 0],
        [4, 5], // 1 + 3, 1 + 4
      ]);
      if (gradient !== weight) gradient.dispose();
    }
  });

  test('values that were read stay as they were read', async () => {
    const weight = variable(1, 2);
    const [sync, later] = [weight.dataSync(), weight.data()];
    sgd({ learningRate: 0.5 }).minimize(() => halfSquare(weight), false, [weight]);
    expect([[...sync], [...(await later)]]).toEqual([
      [1, 2],
      [1, 2],
    ]);
  });
});

describe('what runs as tensor operations', () => {
  test('a weight and moments of another backend come here with their first step', async () => {
    await tf.setBackend('cpu');
    const weight = variable(1, 2);
    const optimizer = sgd({ learningRate: 0.5 });
    const step = () => optimizer.minimize(() => halfSquare(weight), false, [weight]);
    step();
    await tf.setBackend('wasm');
    step();
    step();
    expect(valuesOf(weight)).toEqual([0.125, 0.25]);
    expect(backend.dataIdMap.has(weight.dataId)).toBe(true);
  });

  test('a gradient of whole numbers, and one that broadcasts', () => {
    const weight = variable(5, 6);
    const [whole, scalar] = [tf.tensor1d([1, 2], 'int32'), tf.scalar(2)];
    update({ weight, gradient: whole });
    update({ weight, gradient: scalar });
    expect(valuesOf(weight)).toEqual([2, 2]);
    tf.dispose([whole, scalar]);
  });

  test('8-bit moments: the same numbers as without the engine', () => {
    const trained = () => {
      const weight = variable(...Array.from({ length: 300 }, (_, i) => Math.sin(i)));
      const optimizer = adam({ learningRate: 0.1, moments: 'device:q8' });
      for (let i = 0; i < 3; i++) optimizer.minimize(() => halfSquare(weight), false, [weight]);
      optimizer.dispose();
      return valuesOf(weight);
    };
    const ours = trained();
    const registered = engineOf(backend) as Engine;
    unregisterEngine(backend);
    expect(ours).toEqual(trained());
    registerEngine(backend, registered);
  });
});

test('a conv net trains as by tensor operations: XNNPACK sees each new filter', () => {
  const losses = () => {
    const layers = [
      tf.layers.conv2d({
        inputShape: [6, 6, 2],
        filters: 3,
        kernelSize: 3,
        activation: 'relu',
        kernelInitializer: tf.initializers.glorotUniform({ seed: 1 }),
      }),
      tf.layers.depthwiseConv2d({
        kernelSize: 2,
        depthwiseInitializer: tf.initializers.glorotUniform({ seed: 2 }),
      }),
      tf.layers.prelu({ alphaInitializer: tf.initializers.constant({ value: 0.3 }) }),
      tf.layers.flatten(),
      tf.layers.dense({ units: 1, kernelInitializer: tf.initializers.glorotUniform({ seed: 3 }) }),
    ];
    const model = tf.sequential({ layers });
    const optimizer = lookahead(adam({ learningRate: 0.05 }), { syncPeriod: 3, sync: 'inline' });
    const x = tf.randomNormal([4, 6, 6, 2], 0, 1, 'float32', 4);
    const seen = Array.from({ length: 8 }, () => {
      const loss = optimizer.minimize(
        () => tf.mean(tf.square(tf.sub(model.apply(x) as tf.Tensor, 1))),
        true,
      );
      const [value = NaN] = loss?.dataSync() ?? [];
      loss?.dispose();
      return value;
    });
    x.dispose();
    optimizer.dispose();
    model.dispose();
    return seen;
  };
  const ours = losses();
  const registered = engineOf(backend) as Engine;
  unregisterEngine(backend);
  const theirs = losses();
  registerEngine(backend, registered);
  expect(ours).toEqual(theirs);
  expect(ours[7]).toBeLessThan((ours[0] ?? NaN) / 2);
});

test('after stop() and on a backend that is made anew, updates are right too', async () => {
  const weight = variable(1, 2);
  const optimizer = sgd({ learningRate: 0.5 });
  const step = (w: tf.Variable) => optimizer.minimize(() => halfSquare(w), false, [w]);
  step(weight);
  engine.stop();
  expect(engineOf(backend)).toBeUndefined();
  await tf.setBackend('wasm');
  step(weight);
  expect(valuesOf(weight)).toEqual([0.25, 0.5]);
  engine = await startWasm();
  step(weight);
  expect(valuesOf(weight)).toEqual([0.125, 0.25]);
});

test('adaptive() sees a weight that another optimizer has written where it is', async () => {
  const weight = variable(4);
  const slowStepSize = adaptive({ curvature: () => tf.tensor1d([2]) });
  const optimizer = lookahead(sgd({ learningRate: 0.5 }), {
    slowStepSize,
    syncPeriod: 1,
    replaced: 'ignore',
  });
  const { dataId } = weight;
  optimizer.minimize(() => halfSquare(weight), false, [weight]);
  sgd({ learningRate: 0.5 }).minimize(() => halfSquare(weight), false, [weight]);
  expect(weight.dataId).toBe(dataId);
  await expect(optimizer.sync()).rejects.toMatchObject({ code: 'NO_GRADIENT' });
  await optimizer.resync();
  expect(valuesOf(weight)).toEqual([1]); // 4 → 2 → 1
  optimizer.dispose();
});

describe.each([
  ['a memory of its own', false],
  ['a shared memory, as tfjs has with threads', true],
])('%s', (_, isShared) => {
  test.each([0, 1, 3, 4, 5, 8, 11])('%i elements: what is beside them stays', (size) => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 65_536, shared: isShared });
    const spec = { formula: [descend], state: [], scalars: [], clip: 'nothing' } as const;
    const module = new WebAssembly.Module(updateModule(spec, { isShared }));
    const { exports } = new WebAssembly.Instance(module, { env: { memory } });
    const all = new Float32Array(memory.buffer, 0, 64).fill(7);
    all.fill(2, 32, 64);
    (exports['run'] as (...given: number[]) => void)(4 * size, 4 * 5, 4 * 33);
    // 7 − 2 from element 5 on
    const expected = Array.from({ length: 32 }, (_, i) => (i >= 5 && i < 5 + size ? 5 : 7));
    expect([...all]).toEqual([...expected, ...Array<number>(32).fill(2)]);
  });
});
