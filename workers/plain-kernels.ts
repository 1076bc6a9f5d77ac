/**
 * The blend as plain loops. The SIMD kernels must equal it to the bit. It runs where there is no WebAssembly SIMD.
 */
import { CODECS } from './codecs/codec.js';
import type { Draw } from './codecs/random-bits.js';
import { type QuantizedFormat, storedBytes } from './codecs/value-format.js';

/**
 * The inner loops of a blend, made for one memory. Positions are in bytes, multiples of 4;
 * lengths in weights.
 */
export interface BlendKernels {
  /** out ← slow + α(fast − slow). Writes nothing but `out`, which may be `slow`. */
  blend(
    slowByte: number,
    fastByte: number,
    outByte: number,
    length: number,
    stepSize: number,
  ): void;
  copy(fromByte: number, toByte: number, length: number): void;
  /** Floats ← quantized. Both begin with a group. */
  dequantize(format: QuantizedFormat, fromByte: number, toByte: number, length: number): void;
  /** Quantized ← floats, rounded by `draw`. `start`: the first element within its variable. */
  quantize(
    format: QuantizedFormat,
    fromByte: number,
    toByte: number,
    length: number,
    start: number,
    draw: Draw,
  ): void;
}

/** out ← s + a(f − s), in double precision and rounded once to float32; s where f = s, which keeps −0. */
export function blendPlain(s: Float32Array, f: Float32Array, out: Float32Array, a: number): void {
  for (let i = 0; i < out.length; i++) {
    out[i] = f[i] === s[i] ? s[i]! : s[i]! + a * (f[i]! - s[i]!);
  }
}

export function plainKernels(memory: WebAssembly.Memory): BlendKernels {
  // Views are made anew each time, because a memory that grows gets a new buffer.
  const floats = (byte: number, length: number) => new Float32Array(memory.buffer, byte, length);
  const bytes = (format: QuantizedFormat, byte: number, length: number) =>
    new Uint8Array(memory.buffer, byte, storedBytes(format, length));
  return {
    blend(slowByte, fastByte, outByte, length, stepSize) {
      blendPlain(
        floats(slowByte, length),
        floats(fastByte, length),
        floats(outByte, length),
        stepSize,
      );
    },
    copy(fromByte, toByte, length) {
      floats(toByte, length).set(floats(fromByte, length));
    },
    dequantize(format, fromByte, toByte, length) {
      CODECS[format].decode(bytes(format, fromByte, length), floats(toByte, length));
    },
    quantize(format, fromByte, toByte, length, start, draw) {
      CODECS[format].encode(floats(fromByte, length), bytes(format, toByte, length), start, draw);
    },
  };
}
