// Gradients of convolutions in three dimensions: one of two dimensions for each pair of planes that meet. tfjs's own on wasm
// are wrong for most shapes.

import * as tf from '@tensorflow/tfjs-core';

import { positionOf } from '../../../tfjs/wasm-backend.js';
import { setGeometry } from '../geometry.js';
import { kernelsOn } from '../heap-kernels.js';
import { type KernelCall, withFloats } from '../kernel.js';

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
  return withFloats(backend, [x, dy], (image = x, gradient = dy) => {
    const { compiled, scratch } = kernelsOn(backend);
    const room = scratch(compiled.scratchBytes());
    setGeometry(backend, info);
    const out = backend.makeOutput(info.filterShape, 'float32');
    backend.typedArrayFromHeap(out).fill(0);
    const [from, by, to] = [image, gradient, out].map((one) => positionOf(backend, one));
    eachMeeting(info, (inAt, outAt, filterAt) => {
      compiled.convFilterGradient(
        (from ?? 0) + 4 * inAt * inPlane,
        (by ?? 0) + 4 * outAt * outPlane,
        (to ?? 0) + 4 * filterAt * filterPlane,
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
  return withFloats(backend, [dy, filter], (gradient = dy, weights = filter) => {
    const { compiled, scratch } = kernelsOn(backend);
    const room = scratch(compiled.scratchBytes());
    setGeometry(backend, info);
    const out = backend.makeOutput(info.inShape, 'float32');
    backend.typedArrayFromHeap(out).fill(0);
    const [from, by, to] = [gradient, weights, out].map((one) => positionOf(backend, one));
    eachMeeting(info, (inAt, outAt, filterAt) => {
      compiled.convInputGradient(
        (from ?? 0) + 4 * outAt * outPlane,
        (by ?? 0) + 4 * filterAt * filterPlane,
        (to ?? 0) + 4 * inAt * inPlane,
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
  if (!tf.util.arraysEqual(info.outShape, [...dy]) || filter[3] !== info.inChannels) {
    throw new RangeError(
      `The gradient of a convolution of [${input.join()}] with a filter [${filter.join()}] has the shape ` +
        `[${info.outShape.join()}], got [${dy.join()}].`,
    );
  }
  return info;
}
