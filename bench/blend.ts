// What a blend costs on one thread in each format of slow weights, next to copying as many bytes of float32 once, and
// what its kernels do in a second. By turns in one process.
//   npm run bench:blend

import { cpus, loadavg } from 'node:os';

import { framed } from '../src/cli/terminal/table.js';
import { spreadOf } from '../src/measure/times/statistics.js';
import {
  beginChunk,
  BLOCK_BYTES,
  blendChunk,
  type BlendJob,
  STAGING_BYTES_ABOVE_CHUNK,
  stagingParts,
} from '../workers/blend.js';
import { storedBytes, type ValueFormat } from '../workers/codecs/value-format.js';
import { kernelsFor } from '../workers/simd-kernels.js';

const MIB = 2 ** 20;
const WARM_UPS = 2;
const TURNS = 9;
const LENGTH = (64 * MIB) / 4;
/** As in a sync; each chunk has a staging slot of its own here, so that fast weights come from memory. */
const CHUNK_LENGTH = (4 * MIB) / 4;
const CHUNKS = LENGTH / CHUNK_LENGTH;
const SLOT_BYTES = CHUNK_LENGTH * 4 + STAGING_BYTES_ABOVE_CHUNK;
const BLOCK_LENGTH = BLOCK_BYTES / 4;
const DRAW = { item: 1, round: 2 };

const memory = new WebAssembly.Memory({
  initial: Math.ceil((LENGTH * 4 + CHUNKS * SLOT_BYTES) / 65_536),
  maximum: 65_536,
  shared: true,
});
const kernels = kernelsFor(memory);
const fastByteOf = (chunk: number) => LENGTH * 4 + chunk * SLOT_BYTES;
const floats = (byte: number, length: number) => new Float32Array(memory.buffer, byte, length);

/** Like weights: around 0.05, a few of them so small that fp16 has them as subnormals. */
const weights = Float32Array.from(
  { length: CHUNK_LENGTH },
  (_, i) => 0.05 * (Math.sin(i * 12.9898) + Math.sin(i * 78.233) + Math.sin(i * 37.719)),
);

function job(format: ValueFormat, chunk: number): BlendJob {
  return {
    memory,
    memoryId: 1,
    slowByte: storedBytes(format, chunk * CHUNK_LENGTH),
    ...stagingParts(fastByteOf(chunk), CHUNK_LENGTH * 4),
    runs: [{ length: CHUNK_LENGTH, stepSize: 0.5, item: DRAW.item, start: chunk * CHUNK_LENGTH }],
    ...(format !== 'f32' && { quantization: { format, round: DRAW.round } }),
  };
}

/** Fills the store with weights in this format. */
function fill(format: ValueFormat): void {
  for (let chunk = 0; chunk < CHUNKS; chunk++) {
    const { slowByte } = job(format, chunk);
    floats(fastByteOf(chunk), CHUNK_LENGTH).set(weights);
    if (format === 'f32') floats(slowByte, CHUNK_LENGTH).set(weights);
    else kernels.quantize(format, fastByteOf(chunk), slowByte, CHUNK_LENGTH, 0, DRAW);
  }
  // Fast weights differ from slow ones, or the blend has nothing to do.
  for (let chunk = 0; chunk < CHUNKS; chunk++) {
    floats(fastByteOf(chunk), CHUNK_LENGTH).set(weights.subarray(0, CHUNK_LENGTH - 64), 64);
  }
}

/** Time of the processor: on the clock other processes would count, which share the cores. */
function ms(run: () => void): number {
  const start = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

const FORMATS: readonly ValueFormat[] = ['f32', 'f16', 'bf16', 'f16r8', 'int8'];
const from = new Float32Array(LENGTH).fill(1);
const to = new Float32Array(LENGTH).fill(2);

// Chunk by chunk, all by turns.
const times = new Map<string, number[]>();
for (let turn = -WARM_UPS; turn < TURNS; turn++) {
  const time = (name: string, run: () => void) => {
    const took = ms(run);
    if (turn < 0) return;
    if (!times.has(name)) times.set(name, []);
    times.get(name)?.push(took);
  };
  for (const format of FORMATS) {
    fill(format);
    for (let chunk = 0; chunk < CHUNKS; chunk++) {
      const [start, end] = [chunk * CHUNK_LENGTH, (chunk + 1) * CHUNK_LENGTH];
      time('copy', () => to.subarray(start, end).set(from.subarray(start, end)));
      const one = job(format, chunk);
      beginChunk(one);
      time(`blend ${format}`, () => blendChunk(one, kernels));
      if (format === 'f32') continue;
      // A block at a time, as blendChunk calls them, within the first-level cache.
      const { scratchByte, slowByte } = one;
      time(`dequantize ${format}`, () => {
        for (let at = start; at < end; at += BLOCK_LENGTH) {
          kernels.dequantize(format, slowByte, scratchByte, BLOCK_LENGTH);
        }
      });
      floats(scratchByte, BLOCK_LENGTH).set(weights.subarray(0, BLOCK_LENGTH));
      time(`quantize ${format}`, () => {
        for (let at = start; at < end; at += BLOCK_LENGTH) {
          kernels.quantize(format, scratchByte, slowByte, BLOCK_LENGTH, at, DRAW);
        }
      });
    }
  }
}

const median = (name: string) => spreadOf(times.get(name) ?? [])?.median ?? NaN;
const rate = (name: string) =>
  times.has(name) ? (CHUNK_LENGTH / median(name) / 1e6).toFixed(2) : '–';
console.log(
  `Node ${process.versions.node}; ${cpus().length} × ${cpus()[0]?.model.trim()}; load ${loadavg()[0]?.toFixed(1)}. ` +
    `64 MiB of weights, one thread; medians over ${CHUNKS} chunks of 4 MiB, ${TURNS} turns each; ` +
    `blocks of ${BLOCK_BYTES / 1024} KiB. A copy moves ${((4 / 1024 / median('copy')) * 1000).toFixed(1)} GiB a second.`,
);
console.log(
  framed(
    FORMATS.map((format) => [
      format,
      rate(`dequantize ${format}`),
      rate(`quantize ${format}`),
      rate(`blend ${format}`),
      (median(`blend ${format}`) / median('copy')).toFixed(2),
      (median(`blend ${format}`) / median('blend f32')).toFixed(2),
    ]),
    ['slow weights', 'dequantize G/s', 'quantize G/s', 'blend G/s', '× a copy', '× float32'],
  ),
);
