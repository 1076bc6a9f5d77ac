// ClipByValue: tfjs's makes the lower limit of a NaN, and takes the bits of whole numbers for floats. Sign: tfjs's gives 0
// for all that is below 1.2e-7.

import * as tf from '@tensorflow/tfjs-core';

import { positionsOf } from '../../../tfjs/wasm-backend.js';
import { kernelsOn } from '../heap-kernels.js';
import type { KernelCall } from '../kernel.js';

type Inputs = { readonly x: tf.TensorInfo };
type Limits = { readonly clipValueMin: number; readonly clipValueMax: number };

export function clipByValue(call: KernelCall<Inputs, Limits>): tf.TensorInfo {
  const { clipValueMin: low, clipValueMax: high } = call.attrs;
  return byElement(
    call,
    (x, out, size) => kernelsOn(call.backend).compiled.clip(x, out, size, low, high),
    (x) => Math.min(Math.max(x, low), high),
  );
}

export function sign(call: KernelCall<Inputs, object>): tf.TensorInfo {
  return byElement(
    call,
    (x, out, size) => kernelsOn(call.backend).compiled.sign(x, out, size),
    Math.sign,
  );
}

function byElement(
  { inputs: { x }, backend }: KernelCall<Inputs, unknown>,
  ofFloats: (x: number, out: number, size: number) => void,
  ofInteger: (x: number) => number,
): tf.TensorInfo {
  const out = backend.makeOutput(x.shape, x.dtype);
  if (x.dtype === 'float32') {
    ofFloats(...positionsOf(backend, x, out), tf.util.sizeFromShape(x.shape));
  } else {
    const values = backend.typedArrayFromHeap(out);
    for (const [i, value] of backend.typedArrayFromHeap(x).entries()) values[i] = ofInteger(value);
  }
  return out;
}
