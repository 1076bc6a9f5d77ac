/**
 * Quantized state with tensor operations of TensorFlow.js, on backends that compute int32 exactly: `cpu`, `wasm` and
 * `tensorflow`. They have no shift, but a product with a power of two that wraps around is one.
 */
import * as tf from '@tensorflow/tfjs-core';
import { SlowlaneError } from '../checks/errors.js';
import {
  BLOCK,
  BLOCK_WORDS,
  type QuantizationAlgebra,
  LEAST_SCALE,
  type QuantizedKind,
  blocksOf,
  dequantize,
  quantize,
} from './quantization.js';

export interface QuantizedTensor {
  /** Int32, [blocks, 64]. */
  readonly words: tf.Tensor;
  /** Float32, [1, blocks]. */
  readonly scales: tf.Tensor;
}

/** Both the caller's, or its tidy's. `values` of any shape; `rounding` in (0, 1). */
export function quantizeTensor(
  kind: QuantizedKind,
  values: tf.Tensor,
  rounding: number,
): QuantizedTensor {
  const blocks = blocksOf(values.size);
  const [words, scales] = tf.tidy(() => {
    const flat = tf.reshape<tf.Rank.R1>(values, [values.size]);
    const padding = blocks * BLOCK - values.size;
    const whole = padding === 0 ? flat : tf.pad1d(flat, [0, padding]);
    const inBlocks = tf.reshape(whole, [blocks, BLOCK]);
    const scales = tf.maximum(tf.max(tf.abs(inBlocks), 1, true), LEAST_SCALE);
    const ratios = tf.div(inBlocks, scales);
    const bytes = quantize(kind, inBlocks, ratios, tf.scalar(rounding), tensors);
    return [packed(tf.cast(bytes, 'int32')), tf.reshape(scales, [1, blocks])] as const;
  });
  return { words, scales };
}

/** The caller's, or its tidy's. `scales` has one number a block. */
export function dequantizeTensor(
  kind: QuantizedKind,
  words: tf.Tensor,
  scales: tf.Tensor,
  shape: readonly number[],
): tf.Tensor {
  return tf.tidy(() => {
    const blocks = scales.size;
    const values = dequantize(
      kind,
      unpacked(kind, words),
      tf.reshape(scales, [blocks, 1]),
      tensors,
    );
    const size = tf.util.sizeFromShape([...shape]);
    const flat = tf.reshape<tf.Rank.R1>(values, [blocks * BLOCK]);
    return tf.reshape(size === flat.size ? flat : tf.slice1d(flat, 0, size), [...shape]);
  });
}

/** The highest byte first, because what is above it wraps out. */
function packed(bytes: tf.Tensor): tf.Tensor {
  return tf
    .split(bytes, 4, 1)
    .reduceRight((word, byte) => tf.add(tf.mul(word, int32(256)), lowByte(byte)));
}

/** 0…255: a byte below 0 would borrow from those above it. */
function lowByte(byte: tf.Tensor): tf.Tensor {
  return tf.where(tf.less(byte, int32(0)), tf.add(byte, int32(256)), byte);
}

/** The lowest byte first: shifted to the top it is all that is left, with its sign. */
function unpacked(kind: QuantizedKind, words: tf.Tensor): tf.Tensor {
  const bytes: tf.Tensor[] = [];
  let rest = words;
  for (let k = 0; k < 4; k++) {
    const top = tf.mul(rest, int32(2 ** (24 - 8 * k)));
    const signed = tf.mul(tf.cast(top, 'float32'), 2 ** -24);
    const positive = tf.where(tf.less(signed, 0), tf.add(signed, 256), signed);
    rest = tf.sub(rest, tf.mul(tf.cast(positive, 'int32'), int32(2 ** (8 * k))));
    bytes.push(kind === 'signed' ? signed : positive);
  }
  return tf.reshape(tf.concat(bytes, 1), [words.size / BLOCK_WORDS, BLOCK]);
}

function int32(value: number): tf.Scalar {
  return tf.scalar(value, 'int32');
}

const tensors: QuantizationAlgebra<tf.Tensor> = {
  add: tf.add,
  mul: tf.mul,
  square: tf.square,
  sqrt: tf.sqrt,
  abs: tf.abs,
  sign: tf.sign,
  constant: (value) => tf.scalar(value),
  floor: tf.floor,
  max: tf.maximum,
};

/** @throws SlowlaneError UNSUPPORTED on backends that compute int32 in float32, which would spoil the words. */
export function checkExactIntegers(): void {
  const backend = tf.getBackend();
  if (backend !== 'webgl' && backend !== 'webgpu') return;
  throw new SlowlaneError(
    'UNSUPPORTED',
    `moments: 'device:q8' needs whole numbers of 32 bits, which tfjs's '${backend}' backend rounds. Use ` +
      `the engine of slowlane/webgpu (startWebGPU), or moments: 'device:f32'.`,
    { backend },
  );
}
