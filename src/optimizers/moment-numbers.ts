/** 8-bit moments in plain numbers, each operation rounded to float32: for saving, and to test the others by. */
import { BLOCK, BLOCK_WORDS, type CodeAlgebra, type MomentCode, decoded } from './moment-code.js';

const { fround } = Math;

export const float32: CodeAlgebra<number> = {
  add: (a, b) => fround(a + b),
  sub: (a, b) => fround(a - b),
  mul: (a, b) => fround(a * b),
  div: (a, b) => fround(a / b),
  square: (a) => fround(a * a),
  sqrt: (a) => fround(Math.sqrt(a)),
  abs: Math.abs,
  sign: Math.sign,
  constant: fround,
  floor: Math.floor,
  max: Math.max,
};

/** The `size` values of one slot; `scales` has one number a block. */
export function decodedNumbers(
  code: MomentCode,
  words: Int32Array,
  scales: Float32Array,
  size: number,
): Float32Array {
  const values = new Float32Array(size);
  for (let i = 0; i < size; i++) {
    const [block, at] = [Math.floor(i / BLOCK), i % BLOCK];
    const word = words[block * BLOCK_WORDS + (at % BLOCK_WORDS)] ?? 0;
    const byte = (word >> (8 * Math.floor(at / BLOCK_WORDS))) & 0xff;
    const number = code === 'signed' ? (byte << 24) >> 24 : byte;
    values[i] = decoded(code, number, scales[block] ?? 0, float32);
  }
  return values;
}
