// Gradients of convolutions and poolings on wasm against tfjs's cpu backend.

import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { check, expectAsOnCpu, onWasm, seed, side } from './compare.js';

onWasm();

describe('gradients of convolutions', () => {
  const pads = fc.constantFrom<unknown>('same', 'valid', 1, [
    [0, 0],
    [1, 2],
    [0, 1],
    [0, 0],
  ]);
  const convolution = fc
    .record({
      batch: fc.integer({ min: 0, max: 3 }),
      height: side(11),
      width: side(11),
      channels: side(9),
      filters: side(10),
      rows: side(4),
      columns: side(4),
      strides: fc.tuple(side(3), side(3)),
      pad: pads,
      isNhwc: fc.boolean(),
      isWhole: fc.boolean(),
      seed,
    })
    .filter(({ height, width, rows, columns }) => height >= rows && width >= columns);

  const dyOf = (
    input: number[],
    filter: number[],
    { strides, pad }: { strides: [number, number]; pad: unknown },
    isDepthwise: boolean,
    dataFormat: 'channelsLast' | 'channelsFirst' = 'channelsLast',
  ) =>
    tf.backend_util.computeConv2DInfo(
      input as [number, number, number, number],
      filter as [number, number, number, number],
      strides,
      1,
      pad as 'same',
      undefined,
      isDepthwise,
      dataFormat,
    ).outShape;

  test('Conv2DBackpropFilter and Conv2DBackpropInput', async () => {
    await check(
      fc.asyncProperty(convolution, async (given) => {
        const { batch, height, width, channels, filters, strides, isNhwc, seed } = given;
        const inputShape = isNhwc
          ? [batch, height, width, channels]
          : [batch, channels, height, width];
        const filterShape = [given.rows, given.columns, channels, filters];
        const format = isNhwc ? 'channelsLast' : 'channelsFirst';
        // Explicit pads are in the order of the data's axes, so those of NHWC are no example for NCHW.
        const pad = isNhwc || typeof given.pad !== 'object' ? given.pad : 'same';
        const shape = dyOf(inputShape, filterShape, { strides, pad }, false, format);
        const dtype = given.isWhole ? 'int32' : 'float32';
        const attributes = { strides, pad, dataFormat: isNhwc ? 'NHWC' : 'NCHW' };
        await expectAsOnCpu(
          'Conv2DBackpropFilter',
          { x: { shape: inputShape, dtype }, dy: { shape } },
          { ...attributes, filterShape },
          seed,
        );
        await expectAsOnCpu(
          'Conv2DBackpropInput',
          { dy: { shape }, filter: { shape: filterShape, dtype } },
          { ...attributes, inputShape },
          seed,
        );
      }),
      60,
    );
  });

  test('the two of depthwise convolutions', async () => {
    await check(
      fc.asyncProperty(convolution, async (given) => {
        const { batch, height, width, channels, strides, pad, isWhole, seed } = given;
        const inputShape = [batch, height, width, channels];
        const filterShape = [given.rows, given.columns, channels, isWhole ? 1 : 3];
        const shape = dyOf(inputShape, filterShape, { strides, pad }, true);
        const attributes = { strides, pad, dilations: 1 };
        await expectAsOnCpu(
          'DepthwiseConv2dNativeBackpropFilter',
          { x: { shape: inputShape }, dy: { shape } },
          { ...attributes, filterShape },
          seed,
        );
        await expectAsOnCpu(
          'DepthwiseConv2dNativeBackpropInput',
          { dy: { shape }, filter: { shape: filterShape } },
          { ...attributes, inputShape },
          seed,
        );
      }),
      60,
    );
  });

  test('a depthwise convolution with dilation: 1·a + 2·c has the gradient 1, 2 at a, c', async () => {
    await tf.setBackend('wasm');
    const attributes = { strides: 1, pad: 'valid', dilations: [1, 2] };
    const run = (kernel: string, inputs: Record<string, tf.Tensor>, more: object) => {
      const result = tf.engine().runKernel(kernel, inputs, { ...attributes, ...more }) as tf.Tensor;
      return [...result.dataSync()];
    };
    tf.tidy(() => {
      const x = tf.tensor4d([3, 4, 5], [1, 1, 3, 1]);
      const filter = tf.tensor4d([1, 2], [1, 2, 1, 1]);
      const dy = tf.ones([1, 1, 1, 1]);
      const ofInput = 'DepthwiseConv2dNativeBackpropInput';
      expect(run(ofInput, { dy, filter }, { inputShape: x.shape })).toEqual([1, 0, 2]);
      const ofFilter = 'DepthwiseConv2dNativeBackpropFilter';
      expect(run(ofFilter, { x, dy }, { filterShape: filter.shape })).toEqual([3, 5]);
    });
  });

  test('in three dimensions, and max-pooling of negative numbers', async () => {
    const volume = fc.record({
      batch: side(2),
      sizes: fc.tuple(side(5), side(5), side(6)),
      channels: side(5),
      filters: side(4),
      filter: fc.tuple(side(3), side(3), side(3)),
      strides: fc.tuple(side(2), side(2), side(2)),
      pad: fc.constantFrom('same' as const, 'valid' as const),
      seed,
    });
    await check(
      fc.asyncProperty(
        volume.filter(({ sizes, filter }) => sizes.every((size, i) => size >= (filter[i] ?? 0))),
        async ({ batch, sizes, channels, filters, filter, strides, pad, seed }) => {
          const inputShape: [number, number, number, number, number] = [batch, ...sizes, channels];
          const filterShape: [number, number, number, number, number] = [
            ...filter,
            channels,
            filters,
          ];
          const { computeConv3DInfo, computePool3DInfo, computePool2DInfo } = tf.backend_util;
          const convolved = computeConv3DInfo(inputShape, filterShape, strides, 1, pad).outShape;
          await expectAsOnCpu(
            'Conv3DBackpropFilterV2',
            { x: { shape: inputShape }, dy: { shape: convolved } },
            { strides, pad, filterShape },
            seed,
          );
          await expectAsOnCpu(
            'Conv3DBackpropInputV2',
            { dy: { shape: convolved }, filter: { shape: filterShape } },
            { strides, pad, inputShape },
            seed,
          );
          // cpu takes the wrong numbers for a window that is wider than high, or the reverse.
          const side = Math.min(filter[1], filter[2]);
          const filterSize: [number, number, number] = [filter[0], side, side];
          const pooling = { filterSize, strides, pad };
          const pooled = computePool3DInfo(inputShape, filterSize, strides, 1, pad).outShape;
          const input = { shape: inputShape };
          await expectAsOnCpu('MaxPool3D', { x: input }, pooling, seed, 0);
          const dy = { shape: pooled };
          await expectAsOnCpu('MaxPool3DGrad', { dy, input, output: dy }, pooling, seed, 3e-6);
          const image: [number, number, number, number] = [batch, sizes[0], sizes[1], channels];
          const flat = {
            filterSize: [filter[0], filter[1]] as [number, number],
            strides: [strides[0], strides[1]] as [number, number],
            pad,
          };
          const shape = computePool2DInfo(image, flat.filterSize, flat.strides, 1, pad).outShape;
          await expectAsOnCpu(
            'MaxPoolGrad',
            { dy: { shape }, input: { shape: image }, output: { shape } },
            flat,
            seed,
            3e-6,
          );
        },
      ),
      50,
    );
  });

  test('what tfjs computes wrongly there, and we do not at all, is refused', async () => {
    await tf.setBackend('wasm');
    const x = tf.fill([1, 2, 2, 1], -1);
    expect(() => tf.maxPoolWithArgmax(x as tf.Tensor4D, 2, 2, 'valid')).toThrow(
      /maxPoolWithArgmax is wrong for negative numbers/,
    );
    expect(() => tf.dilation2d(x as tf.Tensor4D, tf.zeros([1, 1, 1]), 1, 'same')).toThrow(
      /dilation2d is wrong for negative numbers/,
    );
  });

  test('a gradient of another shape than the convolution’s is refused', async () => {
    await tf.setBackend('wasm');
    const x = tf.zeros([1, 4, 4, 1]);
    const attributes = { strides: 1, pad: 'same', dataFormat: 'NHWC', filterShape: [3, 3, 1, 1] };
    const dy = tf.zeros([1, 2, 4, 1]);
    expect(() => tf.engine().runKernel('Conv2DBackpropFilter', { x, dy }, attributes)).toThrow(
      /has the shape \[1,4,4,1\], got \[1,2,4,1\]/,
    );
    tf.dispose([x, dy]);
  });
});
