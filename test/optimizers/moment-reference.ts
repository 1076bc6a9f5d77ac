import {
  BLOCK,
  BLOCK_WORDS,
  LEAST,
  type MomentCode,
  NEAREST,
  encoded,
} from '#src/optimizers/moment-code.js';
import { float32 } from '#src/optimizers/moment-numbers.js';

/** What `values` encode to, element by element in float32 numbers. */
export function encodedNumbers(
  code: MomentCode,
  values: Float32Array,
  rounding = NEAREST,
): { words: Int32Array; scales: Float32Array; bytes: number[] } {
  const blocks = Math.ceil(values.length / BLOCK);
  const words = new Int32Array(blocks * BLOCK_WORDS);
  const scales = new Float32Array(blocks);
  const bytes: number[] = [];
  for (let block = 0; block < blocks; block++) {
    const own = values.subarray(block * BLOCK, (block + 1) * BLOCK);
    const scale = own.reduce((most, x) => Math.max(most, Math.abs(x)), LEAST);
    scales[block] = scale;
    for (const [at, value] of own.entries()) {
      const byte = encoded(code, value, Math.fround(value / scale), rounding, float32);
      bytes.push(byte);
      const word = block * BLOCK_WORDS + (at % BLOCK_WORDS);
      words[word] = (words[word] ?? 0) | ((byte & 0xff) << (8 * Math.floor(at / BLOCK_WORDS)));
    }
  }
  return { words, scales, bytes };
}

/** The bytes in the words, in the order of the elements; what fills the last block is left out. */
export function bytesIn(words: Int32Array, size: number): Uint8Array {
  const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
  return Uint8Array.from({ length: size }, (_, i) => {
    const [block, at] = [Math.floor(i / BLOCK), i % BLOCK];
    const word = block * BLOCK_WORDS + (at % BLOCK_WORDS);
    return bytes[4 * word + Math.floor(at / BLOCK_WORDS)] ?? 0;
  });
}

/** The same numbers on every run: of both signs (or squares), over `decades` powers of 10. */
export function spread(size: number, code: MomentCode, decades = 8): Float32Array {
  let state = size + 12_345;
  const random = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return (state >>> 8) / 2 ** 24;
  };
  return Float32Array.from({ length: size }, () => {
    const magnitude = 10 ** (-decades * random());
    const sign = random() < 0.5 ? -1 : 1;
    return random() < 0.02 ? 0 : code === 'signed' ? sign * magnitude : magnitude;
  });
}
