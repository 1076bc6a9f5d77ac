// Gradients of convolutions: as products with patches, and of depthwise ones as plain sums.

import * as tf from '@tensorflow/tfjs-core';

import { positionsOf, type WasmBackend } from '../../../tfjs/wasm-backend.js';
import { type Gradient, kernelsOn } from '../heap-kernels.js';
import { setGeometry } from '../geometry.js';
import { type KernelCall, transposed, withFloats, withMade, wrongGradient } from '../kernel.js';

type Info = ReturnType<typeof tf.backend_util.computeConv2DInfo>;
type Shape = [number, number, number, number];

interface Attributes {
  readonly strides: [number, number] | number;
  readonly pad: Parameters<typeof tf.backend_util.computeConv2DInfo>[4];
  readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
  /** Of depthwise convolutions alone. */
  readonly dilations?: [number, number] | number;
  /** Of others alone. */
  readonly dataFormat?: 'NHWC' | 'NCHW';
}

type FilterGradient = KernelCall<
  { readonly x: tf.TensorInfo; readonly dy: tf.TensorInfo },
  Attributes & { readonly filterShape: Shape }
>;
type InputGradient = KernelCall<
  { readonly dy: tf.TensorInfo; readonly filter: tf.TensorInfo },
  Attributes & { readonly inputShape: Shape }
>;

const TO_CHANNELS_LAST = [0, 2, 3, 1];
const TO_CHANNELS_FIRST = [0, 3, 1, 2];

export function convFilterGradient({ inputs, attrs, backend }: FilterGradient): tf.TensorInfo {
  const { x, dy } = inputs;
  const info = infoOf(x.shape, attrs.filterShape, attrs, dy.shape, false);
  return withChannelsLast(backend, info, [x, dy], (image, gradient) => {
    const { compiled, scratch } = kernelsOn(backend);
    const room = scratch(compiled.scratchBytes());
    const shape = info.filterShape;
    return computed(backend, compiled.convFilterGradient, info, [image, gradient], shape, room);
  });
}

export function convInputGradient({ inputs, attrs, backend }: InputGradient): tf.TensorInfo {
  const { dy, filter } = inputs;
  const info = infoOf(attrs.inputShape, filter.shape, attrs, dy.shape, false);
  const { batchSize, inHeight, inWidth, inChannels } = info;
  const shape = [batchSize, inHeight, inWidth, inChannels];
  const result = withChannelsLast(backend, info, [dy], (gradient) =>
    withFloats(backend, [filter], (weights) => {
      const { compiled, scratch } = kernelsOn(backend);
      const room = scratch(compiled.scratchBytes());
      return computed(backend, compiled.convInputGradient, info, [gradient, weights], shape, room);
    }),
  );
  if (info.dataFormat === 'channelsLast') return result;
  try {
    return transposed(backend, result, TO_CHANNELS_FIRST);
  } finally {
    backend.disposeData(result.dataId);
  }
}

export function depthwiseFilterGradient({ inputs, attrs, backend }: FilterGradient): tf.TensorInfo {
  const { x, dy } = inputs;
  const info = infoOf(x.shape, attrs.filterShape, attrs, dy.shape, true);
  return withFloats(backend, [x, dy], (image, gradient) => {
    const { compiled, scratch } = kernelsOn(backend);
    const sums = scratch(8 * info.outChannels);
    const shape = info.filterShape;
    return computed(
      backend,
      compiled.depthwiseFilterGradient,
      info,
      [image, gradient],
      shape,
      sums,
    );
  });
}

export function depthwiseInputGradient({ inputs, attrs, backend }: InputGradient): tf.TensorInfo {
  const { dy, filter } = inputs;
  const info = infoOf(attrs.inputShape, filter.shape, attrs, dy.shape, true);
  return withFloats(backend, [dy, filter], (gradient, weights) => {
    const { compiled, scratch } = kernelsOn(backend);
    const sums = scratch(8 * info.inChannels);
    const shape = info.inShape;
    return computed(
      backend,
      compiled.depthwiseInputGradient,
      info,
      [gradient, weights],
      shape,
      sums,
    );
  });
}

/** The kernels trust these sizes, hence the check of dy. */
function infoOf(
  input: readonly number[],
  filter: readonly number[],
  { strides, pad, dimRoundingMode, dilations = 1, dataFormat = 'NHWC' }: Attributes,
  dy: readonly number[],
  isDepthwise: boolean,
): Info {
  const info = tf.backend_util.computeConv2DInfo(
    input as Shape,
    filter as Shape,
    strides,
    dilations,
    pad,
    dimRoundingMode,
    isDepthwise,
    tf.backend_util.convertConv2DDataFormat(dataFormat),
  );
  const fits = tf.util.arraysEqual(info.outShape, [...dy]) && filter[2] === info.inChannels;
  if (!fits) throw wrongGradient(input, filter, info.outShape, dy);
  return info;
}

function withChannelsLast<const T extends readonly tf.TensorInfo[]>(
  backend: WasmBackend,
  { dataFormat }: Info,
  tensors: T,
  compute: (...tensors: { [K in keyof T]: tf.TensorInfo }) => tf.TensorInfo,
): tf.TensorInfo {
  return withFloats(backend, tensors, (...floats) =>
    withMade(
      backend,
      floats,
      (x) => (dataFormat === 'channelsLast' ? x : transposed(backend, x, TO_CHANNELS_LAST)),
      compute,
    ),
  );
}

function computed(
  backend: WasmBackend,
  gradient: Gradient,
  info: Info,
  [left, right]: readonly [tf.TensorInfo, tf.TensorInfo],
  shape: readonly number[],
  scratch: number,
): tf.TensorInfo {
  setGeometry(backend, info);
  const out = backend.makeOutput(shape, 'float32');
  gradient(...positionsOf(backend, left, right, out), info.batchSize, scratch);
  return out;
}
