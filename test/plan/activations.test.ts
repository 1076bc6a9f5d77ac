// Bytes of activations, layer by layer.

import { describe, expect, test } from 'vitest';

import { activationBytes, checkpointed, type PlannedLayers } from '#src/plan/activations.js';

describe('activations', () => {
  const layer = (outputElements: number, savedTensors = 1, gradientTensors = 1) => ({
    name: '',
    outputElements,
    savedTensors,
    gradientTensors,
  });
  const layersOf = (...sizes: number[]): PlannedLayers => ({
    inputElements: 0,
    layers: sizes.map((size) => layer(size)),
  });

  test('the pool keeps one tensor of each size that is not in use', () => {
    const layers = layersOf(8, 8, 4, 2, 2);
    // Kept: the widest is in use. Released: 8 beside 8.
    expect(activationBytes(layers, 1, 'keep').pooledBytes).toBe(4 * (4 + 2));
    expect(activationBytes(layers, 1, 'release').pooledBytes).toBe(4 * (4 + 2));
    expect(activationBytes(layersOf(2, 8, 4), 3, 'release').pooledBytes).toBe(4 * 3 * 2);
  });

  test('released: three tensors each of the two neighbours that are largest together', () => {
    const working = (layers: PlannedLayers, batch = 1) => {
      const outputs = layers.layers.map(({ outputElements }) => outputElements);
      const saved = outputs.reduce((sum, size) => sum + size, 0);
      const around = 7 * (outputs.at(-1) ?? 0);
      return activationBytes(layers, batch, 'release').bytes / 4 / batch - around - saved;
    };
    expect(working(layersOf(5, 6, 1, 10))).toBe(3 * (5 + 6));
    expect(working(layersOf(1, 9, 2, 8))).toBe(3 * (9 + 2));
    expect(working(layersOf(9, 2, 9))).toBe(3 * (9 + 2));
    expect(working(layersOf(10))).toBe(3 * 10);
    // From 256 KiB on the neighbour counts only as far as 6 × 256 KiB in all: 65,536 × 4 bytes are just that.
    expect(working(layersOf(1, 1), 65_536)).toBe(6);
    expect(working(layersOf(1, 1), 131_072)).toBe(3);
    expect(working(layersOf(2, 1), 49_152)).toBe(8);
    // Then three of the widest, also if its neighbours are small.
    expect(working(layersOf(1, 1), 2 ** 20)).toBe(3);
    expect(working(layersOf(6, 6, 1, 9), 2 ** 20)).toBe(3 * 9);
  });

  test('kept: the gradients of all activations to the end, and one more of the widest', () => {
    const layers = { inputElements: 3, layers: [layer(8, 3, 2), layer(4, 1, 1)] };
    // Inputs and targets, 6 tensors of the loss, saved, gradients, the widest.
    const elements = 3 + 4 + 6 * 4 + (3 * 8 + 4) + (2 * 8 + 4) + 8;
    expect(activationBytes(layers, 5, 'keep').bytes).toBe(4 * 5 * elements);
  });

  test('of two pairs of the same size the first counts', () => {
    // 5 and 5, not 1 and 9.
    expect(activationBytes(layersOf(5, 5, 1, 9), 1, 'release').pooledBytes).toBe(4 * (1 + 9));
  });

  test('no layers: the inputs alone', () => {
    const none = { inputElements: 3, layers: [] };
    expect(activationBytes(none, 2, 'keep')).toEqual({ bytes: 24, pooledBytes: 0 });
    expect(activationBytes(none, 2, 'release')).toEqual({ bytes: 24, pooledBytes: 0 });
  });

  test('checkpointed: the block that saves most is kept, of the others their last output', () => {
    const layers = [layer(1, 2), layer(1, 2), layer(9, 2), layer(1, 3), layer(1, 3)];
    // Five layers in blocks of three.
    expect(
      checkpointed({ inputElements: 4, layers })?.layers.map(({ savedTensors }) => savedTensors),
    ).toEqual([2, 2, 2, 0, 1]);
    expect(
      checkpointed({ inputElements: 4, layers: layers.toReversed() })?.layers.map(
        ({ savedTensors }) => savedTensors,
      ),
    ).toEqual([3, 3, 2, 0, 1]);
    const second = [layer(1, 2), layer(1, 2), layer(1, 2), layer(9, 2), layer(9, 2)];
    expect(
      checkpointed({ inputElements: 4, layers: second })?.layers.map(
        ({ savedTensors }) => savedTensors,
      ),
    ).toEqual([0, 0, 1, 2, 2]);
    expect(checkpointed({ inputElements: 4, layers })?.inputElements).toBe(4);
    // Three in blocks of two: the second block is one layer, whose output is kept anyway.
    const thin = (count: number) =>
      checkpointed({ inputElements: 4, layers: Array.from({ length: count }, () => layer(1)) });
    expect(thin(3)).toBeNull();
    expect(thin(4)?.layers.map(({ savedTensors }) => savedTensors)).toEqual([1, 1, 0, 1]);
    expect(checkpointed({ inputElements: 4, layers: [layer(1, 0), layer(1, 0)] })).toBeNull();
  });
});
