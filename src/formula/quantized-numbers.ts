/** Quantized state in plain numbers, each operation rounded to float32: for the host, and as reference of tests. */
import {
  BLOCK,
  BLOCK_WORDS,
  type QuantizationAlgebra,
  LEAST_SCALE,
  type QuantizedKind,
  NEAREST,
  blocksOf,
  dequantize,
  quantize,
} from './quantization.js';

const { fround } = Math;

export const float32: QuantizationAlgebra<number> = {
  add: (a, b) => fround(a + b),
  mul: (a, b) => fround(a * b),
  square: (a) => fround(a * a),
  sqrt: (a) => fround(Math.sqrt(a)),
  abs: Math.abs,
  sign: Math.sign,
  constant: fround,
  floor: Math.floor,
  max: Math.max,
};

/** The `size` values of one state tensor; `scales` has one number a block. */
export function dequantizeNumbers(
  kind: QuantizedKind,
  words: Int32Array,
  scales: Float32Array,
  size: number,
): Float32Array {
  const values = new Float32Array(size);
  for (let i = 0; i < size; i++) {
    const [block, at] = [Math.floor(i / BLOCK), i % BLOCK];
    const word = words[block * BLOCK_WORDS + (at % BLOCK_WORDS)] ?? 0;
    const byte = (word >> (8 * Math.floor(at / BLOCK_WORDS))) & 0xff;
    const number = kind === 'signed' ? (byte << 24) >> 24 : byte;
    values[i] = dequantize(kind, number, scales[block] ?? 0, float32);
  }
  return values;
}

/** What `values` are quantized to. */
export function quantizeNumbers(
  kind: QuantizedKind,
  values: Float32Array,
  rounding = NEAREST,
): { readonly words: Int32Array; readonly scales: Float32Array } {
  const blocks = blocksOf(values.length);
  const words = new Int32Array(blocks * BLOCK_WORDS);
  const scales = new Float32Array(blocks);
  for (let block = 0; block < blocks; block++) {
    const own = values.subarray(block * BLOCK, (block + 1) * BLOCK);
    const scale = own.reduce((most, x) => Math.max(most, Math.abs(x)), LEAST_SCALE);
    scales[block] = scale;
    for (let at = 0; at < own.length; at++) {
      const value = own[at] ?? 0;
      const byte = quantize(kind, value, fround(value / scale), rounding, float32);
      const word = block * BLOCK_WORDS + (at % BLOCK_WORDS);
      words[word] = (words[word] ?? 0) | ((byte & 0xff) << (8 * Math.floor(at / BLOCK_WORDS)));
    }
  }
  return { words, scales };
}
