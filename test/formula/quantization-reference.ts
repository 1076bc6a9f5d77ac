import { BLOCK, BLOCK_WORDS, type QuantizedKind, NEAREST } from '#src/formula/quantization.js';
import { quantizeNumbers as wordsOf } from '#src/formula/quantized-numbers.js';

/** What `values` encode to, with the bytes one by one. */
export function quantizeNumbers(
  kind: QuantizedKind,
  values: Float32Array,
  rounding = NEAREST,
): { words: Int32Array; scales: Float32Array; bytes: number[] } {
  const { words, scales } = wordsOf(kind, values, rounding);
  const bytes = [...bytesIn(words, values.length)];
  return { words, scales, bytes: kind === 'signed' ? bytes.map((b) => (b << 24) >> 24) : bytes };
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
export function spread(size: number, kind: QuantizedKind, decades = 8): Float32Array {
  let state = size + 12_345;
  const random = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return (state >>> 8) / 2 ** 24;
  };
  return Float32Array.from({ length: size }, () => {
    const magnitude = 10 ** (-decades * random());
    const sign = random() < 0.5 ? -1 : 1;
    return random() < 0.02 ? 0 : kind === 'signed' ? sign * magnitude : magnitude;
  });
}
