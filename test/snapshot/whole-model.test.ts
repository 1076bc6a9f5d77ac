import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, expect, test } from 'vitest';

import { wholeModel } from '#src/snapshot/whole-model.js';

afterEach(() => {
  tf.disposeVariables();
});

const variable = () => tf.tidy(() => tf.variable(tf.scalar(1)));
const asWeights = (...variables: tf.Tensor[]) => variables.map((one) => ({ read: () => one }));

test('a list of variables, each once, in the order in which they were given', () => {
  const [a, b] = [variable(), variable()];
  const model = wholeModel([b, a, b], 'of');
  expect(model).toEqual({ variables: [b, a], areInOrder: false, trained: null });
});

test('a model without layers: its weights in the order in which they were made', () => {
  const [a, b, c] = [variable(), variable(), variable()];
  const model = { weights: asWeights(c, a, b), trainableWeights: asWeights(c, a) };
  expect(wholeModel(model, 'of')).toEqual({
    variables: [a, b, c],
    areInOrder: false,
    trained: [c, a],
  });
});

test('a model of layers: layer by layer, then what is in none', () => {
  const [a, b, c, d, e] = [variable(), variable(), variable(), variable(), variable()] as const;
  // The second layer is a model: its weights come where it stands.
  const layers = [
    { weights: asWeights(d, c) },
    { weights: asWeights(b, e), layers: [{ weights: asWeights(e) }, { weights: asWeights(b) }] },
  ];
  const model = { weights: asWeights(a, b, c, d, e), layers };
  expect(wholeModel(model, 'of')).toEqual({
    variables: [c, d, e, b, a],
    areInOrder: true,
    trained: null,
  });
});

test('anything else is refused with what was received', () => {
  const tensor = tf.scalar(1);
  const wrong: readonly unknown[] = [
    null,
    undefined,
    5,
    'weights',
    {},
    () => [],
    { weights: null },
    { weights: 5 },
    { weights: [null] },
    { weights: [5] },
    { weights: [{}] },
    { weights: [...asWeights(variable()), {}] },
    { weights: Array.from({ length: 1 }) },
    { weights: asWeights(tensor) },
    [tensor],
    [variable(), tensor],
    [undefined],
  ];
  for (const model of wrong) {
    const call = () => wholeModel(model as never, 'saveTraining');
    expect(call).toThrow(TypeError);
    expect(call).toThrow(/^saveTraining\(\) takes a LayersModel or an array of variables, got /);
  }
  tensor.dispose();
});
