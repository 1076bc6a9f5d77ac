// Max-pooling in three dimensions, and the gradients of both. tfjs's own on wasm begin to look for the largest number at the
// least positive one, so that they do not find it among negative numbers.

import * as tf from '@tensorflow/tfjs-core';

import { positionsOf, type WasmBackend } from '../../../tfjs/wasm-backend.js';
import { setGeometry } from '../geometry.js';
import { kernelsOn } from '../heap-kernels.js';
import { type KernelCall, withFloats } from '../kernel.js';

interface Inputs {
  readonly dy: tf.TensorInfo;
  readonly input: tf.TensorInfo;
}

type Pool2D = Parameters<typeof tf.backend_util.computePool2DInfo>;
type Pool3D = Parameters<typeof tf.backend_util.computePool3DInfo>;

interface Attributes<P extends Pool2D | Pool3D> {
  readonly filterSize: P[1];
  readonly strides: P[2];
  readonly pad: P[4];
  readonly dimRoundingMode?: P[5];
}

type Info2D = ReturnType<typeof tf.backend_util.computePool2DInfo>;
type Info3D = ReturnType<typeof tf.backend_util.computePool3DInfo>;

/** Which of several largest values gets the gradient, as on tfjs's cpu backend. */
const FIRST = 0;
const LAST = 1;

export function maxPoolGradient({
  inputs,
  attrs: { filterSize, strides, pad, dimRoundingMode },
  backend,
}: KernelCall<Inputs, Attributes<Pool2D>>): tf.TensorInfo {
  const shape = inputs.input.shape as Pool2D[0];
  const info = tf.backend_util.computePool2DInfo(
    shape,
    filterSize,
    strides,
    1,
    pad,
    dimRoundingMode,
  );
  return gradient(backend, inputs, info, [1, 1, 1, 1, 0, FIRST]);
}

export function maxPool3dGradient({
  inputs,
  attrs,
  backend,
}: KernelCall<Inputs, Attributes<Pool3D>>): tf.TensorInfo {
  const info = info3dOf(inputs.input, attrs);
  return gradient(backend, inputs, info, depthsOf(info));
}

export function maxPool3d({
  inputs: { x },
  attrs,
  backend,
}: KernelCall<{ readonly x: tf.TensorInfo }, Attributes<Pool3D>>): tf.TensorInfo {
  const info = info3dOf(x, attrs);
  return withFloats(backend, [x], (values) => {
    setGeometry(backend, info);
    const out = backend.makeOutput(info.outShape, 'float32');
    const [from, to] = positionsOf(backend, values, out);
    kernelsOn(backend).compiled.maxPool(from, 0, to, info.batchSize, ...depthsOf(info));
    return out;
  });
}

function info3dOf(
  { shape }: tf.TensorInfo,
  { filterSize, strides, pad, dimRoundingMode }: Attributes<Pool3D>,
): Info3D {
  const own = shape as Pool3D[0];
  return tf.backend_util.computePool3DInfo(own, filterSize, strides, 1, pad, dimRoundingMode);
}

function depthsOf(info: Info3D): number[] {
  const { inDepth, outDepth, filterDepth, strideDepth, padInfo } = info;
  return [inDepth, outDepth, filterDepth, strideDepth, padInfo.front, LAST];
}

function gradient(
  backend: WasmBackend,
  { dy, input }: Inputs,
  info: Info2D | Info3D,
  depths: readonly number[],
): tf.TensorInfo {
  if (!tf.util.arraysEqual(info.outShape, dy.shape)) {
    throw new RangeError(
      `The gradient of this pooling of [${input.shape.join()}] has the shape [${info.outShape.join()}], ` +
        `got [${dy.shape.join()}].`,
    );
  }
  return withFloats(backend, [input, dy], (...floats) => {
    setGeometry(backend, info);
    const out = backend.makeOutput(input.shape, 'float32');
    const positions = positionsOf(backend, ...floats, out);
    kernelsOn(backend).compiled.maxPool(...positions, info.batchSize, ...depths);
    return out;
  });
}
