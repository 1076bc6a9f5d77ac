// What the planner reads of a model, from the parts of a LayersModel that it looks at.

import type * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';

import { type PlannableModel, readModel } from '#src/plan/model.js';

interface Given {
  readonly shape?: unknown;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly inputs?: unknown;
  readonly name?: string;
}

/** A layer whose output is [null, 6] unless something else is given. */
const layerOf = (
  className: string,
  { shape = [null, 6], config = {}, inputs, name }: Given = {},
) => ({
  name: name ?? 'one',
  inboundNodes: [{ inputShapes: inputs }],
  outputShape: shape,
  getClassName: () => className,
  getConfig: () => config,
});

const modelOf = (
  layers: PlannableModel['layers'],
  inputs: PlannableModel['inputs'] = [],
): PlannableModel => ({ layers, weights: [], trainableWeights: [], inputs });

const read = (className: string, given?: Given) => {
  const { layers, assumptions } = readModel(modelOf([layerOf(className, given)]));
  const [layer] = layers.layers;
  return { tensors: [layer?.savedTensors, layer?.gradientTensors], layer, assumptions };
};

describe('tensors of the output: saved, and gradients', () => {
  test.each(['InputLayer', 'Flatten', 'Reshape', 'RepeatVector'])('%s: none', (className) => {
    expect(read(className).tensors).toEqual([0, 0]);
  });

  const ONE = [
    'Activation ReLU Permute Add Multiply Concatenate Embedding UpSampling2D ZeroPadding2D',
    'MaxPooling1D MaxPooling2D AveragePooling1D AveragePooling2D GlobalMaxPooling1D',
    'GlobalMaxPooling2D GlobalAveragePooling1D GlobalAveragePooling2D',
  ];
  test.each(ONE.join(' ').split(' '))('%s: one of each', (className) => {
    expect(read(className)).toMatchObject({ tensors: [1, 1], assumptions: [expect.anything()] });
  });

  test('dropout: the mask and the product; none without a rate', () => {
    expect(read('Dropout', { config: { rate: 0.5 } }).tensors).toEqual([2, 1]);
    expect(read('Dropout', { config: { rate: 0 } }).tensors).toEqual([0, 0]);
  });

  test.each(['Dense', 'Conv2D'])('%s: product, bias, activation, but fused without one', (name) => {
    const tensors = (config: Given['config']) => read(name, { config: config ?? {} }).tensors;
    expect(tensors({ activation: 'relu' })).toEqual([3, 2]);
    expect(tensors({ activation: 'relu', useBias: true })).toEqual([3, 2]);
    expect(tensors({ activation: 'relu', useBias: false })).toEqual([2, 2]);
    expect(tensors({ activation: 'relu', use_bias: false })).toEqual([2, 2]);
    for (const activation of ['linear', null, undefined]) {
      expect(tensors({ activation })).toEqual([1, 1]);
      expect(tensors({ activation, useBias: false })).toEqual([1, 1]);
    }
  });

  test.each(['Conv1D', 'Conv2DTranspose', 'DepthwiseConv2D'])('%s: is never fused', (name) => {
    const tensors = (config: Given['config']) => read(name, { config: config ?? {} }).tensors;
    expect(tensors({ activation: 'relu' })).toEqual([3, 2]);
    expect(tensors({ activation: 'relu', useBias: false })).toEqual([2, 2]);
    expect(tensors({ activation: 'linear' })).toEqual([2, 1]);
    expect(tensors({ useBias: false })).toEqual([1, 1]);
  });

  test.each([
    ['LSTM', 32, 32],
    ['GRU', 36, 34],
    ['SimpleRNN', 7, 6],
  ])('%s: %d and %d of [batch, units] for each time step', (className, saved, gradients) => {
    // 8 steps of 4 units are 32 elements a tensor, 2 outputs of [8, 2].
    const given = { shape: [null, 8, 2], config: { units: 4 }, inputs: [null, 8, 3] };
    const { tensors, assumptions } = read(className, given);
    expect(tensors).toEqual([2 * saved, 2 * gradients]);
    expect(assumptions).toEqual([
      expect.stringMatching(/^a loss like/),
      `layer 'one' (${className}): by one measurement of such a layer; expect to be a third off`,
    ]);
  });

  test('layers that are not known are named together, each once', () => {
    const layers = ['a', 'b', 'a'].map((name) => layerOf('Strange', { name }));
    const { assumptions } = readModel(modelOf(layers));
    expect(read('Strange').tensors).toEqual([2, 2]);
    expect(assumptions).toEqual([
      'a loss like the mean squared error, which keeps two tensors of the output',
      "layer 'a' (Strange), layer 'b' (Strange): not known to the planner; counted as two tensors of the output, which may be far too few",
    ]);
  });
});

describe('elements of one example', () => {
  test('the first length is the batch; several outputs and inputs add up', () => {
    expect(read('Add', { shape: [null, 2, 3] }).layer?.outputElements).toBe(6);
    expect(read('Add', { shape: [7] }).layer?.outputElements).toBe(1);
    const two = [
      [null, 2],
      [null, 3],
    ];
    expect(read('Add', { shape: two }).layer?.outputElements).toBe(5);
    const inputs = two.map((shape) => ({ shape }));
    expect(readModel(modelOf([], inputs)).layers.inputElements).toBe(5);
  });

  test('a layer that is a model counts by its layers', () => {
    const inside = { ...layerOf('Sequential'), layers: [layerOf('Add', { name: 'inside' })] };
    const { layers } = readModel(modelOf([inside, layerOf('Add', { name: 'after' })]));
    expect(layers.layers.map(({ name }) => name)).toEqual(['inside', 'after']);
  });

  test('what is not built, or open, is refused with its name', () => {
    expect(() => read('Add', { shape: undefined, name: 'x' })).not.toThrow();
    expect(() => read('Add', { shape: 5, name: 'x' })).toThrow(
      new TypeError("layer 'x' has no shape: build the model first."),
    );
    expect(() => read('Add', { shape: [null, null, 4], name: 'x' })).toThrow(
      /^layer 'x' has an open length: its shape is \[null, null, 4\]\. Only the batch may be open/,
    );
    expect(() => readModel(modelOf([], [{ shape: [null, null] }]))).toThrow(
      /^the input has an open/,
    );
    const open = { config: { units: 4 }, inputs: [null, null, 3] };
    expect(() => read('LSTM', open)).toThrow(
      /^the input of layer 'one' \(LSTM\) has an open length/,
    );
    const unused = { ...layerOf('LSTM'), inboundNodes: [] };
    expect(() => readModel(modelOf([unused]))).toThrow(
      /^the input of layer 'one' \(LSTM\) has no sh/,
    );
    // Only the time steps of the input count: what follows may be open.
    expect(() => read('LSTM', { ...open, inputs: [null, 5, null] })).not.toThrow();
  });
});

test('weights have names, sizes, variables, and are trained or not', () => {
  const variable = {} as tf.Variable;
  const kernel = { name: 'kernel', shape: [2, 3], read: () => variable };
  const bias = { name: 'bias', shape: [null] };
  const model = { ...modelOf([]), weights: [kernel, bias], trainableWeights: [kernel] };
  expect(readModel(model).weights).toStrictEqual([
    { name: 'kernel', shape: [2, 3], elements: 6, isTrained: true, variable },
    { name: 'bias', shape: [0], elements: 0, isTrained: false },
  ]);
});

test('what is no model is refused', () => {
  const parts = { layers: [], weights: [], trainableWeights: [] };
  const wrong = [null, undefined, 5, {}];
  const without = Object.keys(parts).map((name) => ({ ...parts, [name]: undefined }));
  for (const model of [...wrong, ...without]) {
    expect(() => readModel(model as never)).toThrow(/^model must be a tf\.LayersModel, got /);
  }
});
