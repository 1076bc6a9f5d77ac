// Gradients of convolutions in three dimensions: one of two dimensions for each pair of planes that meet. tfjs's own on wasm
// are wrong for most shapes.

import * as tf from '@tensorflow/tfjs-core';

import { positionsOf } from '../../../tfjs/wasm-backend.js';
import { setGeometry } from '../geometry.js';
import { kernelsOn } from '../heap-kernels.js';
import { type KernelCall, withFloats, wrongGradient } from '../kernel.js';

type Info = ReturnType<typeof tf.backend_util.computeConv3DInfo>;
type Shape = [number, number, number, number, number];

interface Attributes {
  readonly strides: number | [number, number, number];
  readonly pad: 'same' | 'valid' | number;
}

export function conv3dFilterGradient({
  inputs: { x, dy },
  attrs,
  backend,
}: KernelCall<
  { readonly x: tf.TensorInfo; readonly dy: tf.TensorInfo },
  Attributes & { readonly filterShape: Shape }
>): tf.TensorInfo {
  const info = infoOf(x.shape, attrs.filterShape, attrs, dy.shape);
  const { inPlane, outPlane, filterPlane } = planesOf(info);
  return withFloats(backend, [x, dy], (image, gradient) => {
    const { compiled, scratch } = kernelsOn(backend);
    const room = scratch(compiled.scratchBytes());
    setGeometry(backend, info);
    const out = backend.makeOutput(info.filterShape, 'float32');
    backend.typedArrayFromHeap(out).fill(0);
    const [from, by, to] = positionsOf(backend, image, gradient, out);
    eachMeeting(info, (inAt, outAt, filterAt) => {
      compiled.convFilterGradient(
        from + 4 * inAt * inPlane,
        by + 4 * outAt * outPlane,
        to + 4 * filterAt * filterPlane,
        1,
        room,
        true,
      );
    });
    return out;
  });
}

export function conv3dInputGradient({
  inputs: { dy, filter },
  attrs,
  backend,
}: KernelCall<
  { readonly dy: tf.TensorInfo; readonly filter: tf.TensorInfo },
  Attributes & { readonly inputShape: Shape }
>): tf.TensorInfo {
  const info = infoOf(attrs.inputShape, filter.shape, attrs, dy.shape);
  const { inPlane, outPlane, filterPlane } = planesOf(info);
  return withFloats(backend, [dy, filter], (gradient, weights) => {
    const { compiled, scratch } = kernelsOn(backend);
    const room = scratch(compiled.scratchBytes());
    setGeometry(backend, info);
    const out = backend.makeOutput(info.inShape, 'float32');
    backend.typedArrayFromHeap(out).fill(0);
    const [from, by, to] = positionsOf(backend, gradient, weights, out);
    eachMeeting(info, (inAt, outAt, filterAt) => {
      compiled.convInputGradient(
        from + 4 * outAt * outPlane,
        by + 4 * filterAt * filterPlane,
        to + 4 * inAt * inPlane,
        1,
        room,
        true,
      );
    });
    return out;
  });
}

/** Which planes of the input, the output and the filter meet, counted over the batch. */
function eachMeeting(
  { batchSize, inDepth, outDepth, filterDepth, strideDepth, padInfo }: Info,
  meet: (inAt: number, outAt: number, filterAt: number) => void,
): void {
  for (let image = 0; image < batchSize; image++) {
    for (let z = 0; z < outDepth; z++) {
      for (let filterAt = 0; filterAt < filterDepth; filterAt++) {
        const seen = z * strideDepth + filterAt - padInfo.front;
        if (seen < 0 || seen >= inDepth) continue;
        meet(image * inDepth + seen, image * outDepth + z, filterAt);
      }
    }
  }
}

/** Elements of one plane. */
function planesOf(info: Info): { inPlane: number; outPlane: number; filterPlane: number } {
  return {
    inPlane: info.inHeight * info.inWidth * info.inChannels,
    outPlane: info.outHeight * info.outWidth * info.outChannels,
    filterPlane: info.filterHeight * info.filterWidth * info.inChannels * info.outChannels,
  };
}

function infoOf(
  input: readonly number[],
  filter: readonly number[],
  { strides, pad }: Attributes,
  dy: readonly number[],
): Info {
  const info = tf.backend_util.computeConv3DInfo(input as Shape, filter as Shape, strides, 1, pad);
  const fits = tf.util.arraysEqual(info.outShape, [...dy]) && filter[3] === info.inChannels;
  if (!fits) throw wrongGradient(input, filter, info.outShape, dy);
  return info;
}
