// A LayersModel, planned without running it.

import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import '@tensorflow/tfjs-backend-cpu';
import { plan, type PlanOptions } from 'slowlane';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';

import { readModel } from '#src/plan/model.js';
import { activationBytes, checkpointed } from '#src/plan/activations.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});
afterEach(() => tf.disposeVariables());

function sequential(...layers: tfl.layers.Layer[]): tfl.Sequential {
  return tfl.sequential({ layers });
}

/** Saved and gradient tensors of each layer. */
const tensorsOf = (model: tfl.LayersModel) =>
  readModel(model).layers.layers.map((layer) => [layer.savedTensors, layer.gradientTensors]);

describe('what layers leave for the backward pass', () => {
  test('dense: product, sum and activation; without an activation the fused result alone', () => {
    const model = sequential(
      tfl.layers.dense({ units: 4, inputShape: [2], activation: 'relu' }),
      tfl.layers.dense({ units: 4, activation: 'relu', useBias: false }),
      tfl.layers.dense({ units: 4 }),
    );
    expect(tensorsOf(model)).toEqual([
      [3, 2],
      [2, 2],
      [1, 1],
    ]);
  });

  test('a small convolutional net: sizes of outputs for one example', () => {
    const model = sequential(
      tfl.layers.conv2d({
        filters: 8,
        kernelSize: 3,
        inputShape: [28, 28, 1],
        activation: 'relu',
      }),
      tfl.layers.maxPooling2d({ poolSize: 2 }),
      tfl.layers.flatten(),
      tfl.layers.dropout({ rate: 0.5 }),
      tfl.layers.dense({ units: 10, activation: 'softmax' }),
    );
    const { layers, assumptions } = readModel(model);
    expect(layers.inputElements).toBe(28 * 28);
    expect(layers.layers.map(({ outputElements }) => outputElements)).toEqual([
      26 * 26 * 8,
      13 * 13 * 8,
      13 * 13 * 8,
      13 * 13 * 8,
      10,
    ]);
    expect(assumptions).toHaveLength(1);
  });

  test('a layer that is not known is named', () => {
    const model = sequential(tfl.layers.batchNormalization({ inputShape: [2], name: 'norm' }));
    expect(tensorsOf(model)).toEqual([[2, 2]]);
    const { assumptions } = plan({ model, vramBudget: '1GiB' });
    expect(assumptions.join()).toContain("layer 'norm' (BatchNormalization): not known");
  });

  test('a recurrent layer counts by its time steps, whether it returns all of them or the last', () => {
    const lstm = (returnSequences: boolean) => ({
      units: 4,
      inputShape: [8, 2],
      recurrentInitializer: 'zeros' as const,
      returnSequences,
    });
    const savedElements = [true, false].map((returnsAll) => {
      const [layer] = readModel(sequential(tfl.layers.lstm(lstm(returnsAll)))).layers.layers;
      return (layer?.savedTensors ?? NaN) * (layer?.outputElements ?? NaN);
    });
    expect(savedElements).toEqual([32 * 8 * 4, 32 * 8 * 4]);
  });

  test('a model inside of a model counts by its layers', () => {
    const inside = sequential(tfl.layers.dense({ units: 4, inputShape: [2] }));
    const model = sequential(inside as never, tfl.layers.dense({ units: 3 }));
    expect(tensorsOf(model)).toEqual([
      [1, 1],
      [1, 1],
    ]);
  });
});

test('frozen weights take their bytes, and no gradient, moment or slow weight', () => {
  const frozen = tfl.layers.dense({ units: 4, inputShape: [8], useBias: false });
  const model = sequential(frozen, tfl.layers.dense({ units: 4, useBias: false }));
  frozen.trainable = false;
  const [one] = plan({ model, vramBudget: '1GiB' }).policies;
  expect(one?.device).toMatchObject({
    weights: 4 * (32 + 16),
    gradients: 4 * 16,
    moments: 8 * 16,
  });
  expect(one?.host.slow).toBe(256); // 64 bytes, aligned
});

describe('activations', () => {
  // Two layers 10 → 20 → 5, the first with three tensors and two gradients, the second with one of each.
  const layers = {
    inputElements: 10,
    layers: [
      { name: 'a', outputElements: 20, savedTensors: 3, gradientTensors: 2 },
      { name: 'b', outputElements: 5, savedTensors: 1, gradientTensors: 1 },
    ],
  };
  // Inputs 10, targets 5, loss 6 × 5, saved 3 × 20 + 5.
  const always = 10 + 5 + 30 + 65;

  test('kept gradients: the gradients of all activations to the end', () => {
    const { bytes, pooledBytes } = activationBytes(layers, 2, 'keep');
    expect(bytes).toBe(4 * 2 * (always + 2 * 20 + 5 + 20)); // and one of the widest in between
    expect(pooledBytes).toBe(4 * 2 * 5);
  });

  test('released: three of each of two neighbours', () => {
    expect(activationBytes(layers, 2, 'release').bytes).toBe(4 * 2 * (always + 3 * (20 + 5)));
  });

  test('released, from 256 KiB on: three of the larger one', () => {
    const large = { ...layers, inputElements: 0, layers: [layers.layers[0], layers.layers[0]] };
    const batch = 2 ** 20;
    const { bytes } = activationBytes(large as typeof layers, batch, 'release');
    // targets 20, loss 6 × 20, saved 2 × 60, working 3 × 20
    expect(bytes).toBe(4 * batch * (20 + 120 + 120 + 60));
  });

  test('the batch multiplies them, and the largest one that fits is found', () => {
    const model = sequential(
      tfl.layers.dense({ units: 64, inputShape: [32], activation: 'relu' }),
      tfl.layers.dense({ units: 8 }),
    );
    const request = { model, gradients: 'keep', slow: 'host:f32', moments: 'device:f32' } as const;
    const at = (batchSize: number, vramBudget: number | string = '1GiB') =>
      plan({ ...request, batchSize, vramBudget });
    const bytes = (batchSize: number) => at(batchSize).policies[0]?.device.activations ?? NaN;
    expect(bytes(10)).toBe(10 * bytes(1));

    const largest = at(1, '1MiB').policies[0]?.largestBatch ?? NaN;
    expect(at(largest, '1MiB').pick).not.toBeNull();
    expect(at(largest + 1, '1MiB').pick).toBeNull();
    const { shortfall } = at(10 * largest, '1MiB');
    expect(shortfall?.remedies[0]).toMatchObject({ change: 'batchSize', to: largest });
  });

  test('checkpointing: nine layers in three blocks keep three outputs and one block', () => {
    const layer = { name: '', outputElements: 100, savedTensors: 3, gradientTensors: 2 };
    const nine = { inputElements: 100, layers: Array.from({ length: 9 }, () => layer) };
    const saved = checkpointed(nine)?.layers.map(({ savedTensors }) => savedTensors);
    expect(saved).toEqual([3, 3, 3, 0, 0, 1, 0, 0, 1]);
    expect(checkpointed({ inputElements: 1, layers: [layer] })).toBeNull();
  });

  test('where activations are too much, checkpointing is a remedy', () => {
    const dense = () => tfl.layers.dense({ units: 64, activation: 'relu' });
    const model = sequential(
      tfl.layers.dense({ units: 64, inputShape: [64], activation: 'relu' }),
      ...Array.from({ length: 8 }, dense),
    );
    const fixed = { model, batchSize: 4096, gradients: 'release', moments: 'device:f32' } as const;
    const [first] = plan({ ...fixed, vramBudget: '1GiB' }).policies;
    const vramBudget = Math.floor(0.8 * (first?.neededDeviceBytes ?? NaN));
    const { shortfall } = plan({ ...fixed, vramBudget });
    expect(shortfall?.remedies.map(({ change }) => change)).toContain('checkpoint');
  });
});

test('an open length is refused with the name of its layer', () => {
  const model = sequential(
    tfl.layers.dense({ units: 4, inputShape: [null as unknown as number, 3], name: 'open' }),
  );
  expect(() => readModel(model)).toThrow(
    "layer 'open' has an open length: its shape is [null, null, 4]",
  );
});

test('activationBytes goes with weights only', () => {
  const model = sequential(tfl.layers.dense({ units: 4, inputShape: [2] }));
  const wrong: PlanOptions = { model, vramBudget: '1GiB', activationBytes: 3 };
  expect(() => plan(wrong)).toThrow('activationBytes goes with weights');
  const [one] = plan({ weights: '1M', vramBudget: '1GiB', activationBytes: '3MiB' }).policies;
  expect(one?.device.activations).toBe(3 * 2 ** 20);
});
