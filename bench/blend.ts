/**
 * What a blend costs on one thread, next to copying the same weights once:
 * `node --import tsx bench/blend.ts`.
 *
 * The copy reads 1 and writes 1 byte per byte of weights, a blend reads 2 and writes 2. Fast weights
 * are in a staging slot that is filled anew for each chunk in a real sync; here every chunk has its
 * own, so that all of them come from memory and not from a cache.
 */
import { cpus } from 'node:os';
import { createBlender } from '../src/sync/node/worker-blender.js';
import { spreadOf } from '../src/measure/times/statistics.js';
import {
  beginChunk,
  BLOCK_BYTES,
  blendChunk,
  type BlendJob,
  STAGING_BYTES_ABOVE_CHUNK,
} from '../workers/blend.js';
import { blendPlain, plainKernels } from '../workers/plain-kernels.js';
import { simdKernels } from '../workers/simd-kernels.js';

const MIB = 2 ** 20;
const totalBytes = 64 * MIB;
const chunkBytes = 4 * MIB;
const warmups = 3;
const repeats = 15;
const stepSize = 0.5;

const memory = new WebAssembly.Memory({
  initial: (2 * totalBytes + MIB) / 65536,
  maximum: 65536,
  shared: true,
});
const slowByte = 0;
const fastByte = totalBytes;
const scratchByte = 2 * totalBytes;
const slow = new Float32Array(memory.buffer, slowByte, totalBytes / 4);
const fast = new Float32Array(memory.buffer, fastByte, totalBytes / 4);
for (let i = 0; i < slow.length; i++) slow[i] = Math.sin(i);
for (let i = 0; i < fast.length; i++) fast[i] = Math.cos(i);

const jobs: BlendJob[] = [];
for (let at = 0; at < totalBytes; at += chunkBytes) {
  jobs.push({
    memory,
    memoryId: 1,
    slowByte: slowByte + at,
    fastByte: fastByte + at,
    scratchByte: scratchByte + jobs.length * STAGING_BYTES_ABOVE_CHUNK,
    progressByte: scratchByte + jobs.length * STAGING_BYTES_ABOVE_CHUNK + BLOCK_BYTES,
    runs: [{ length: chunkBytes / 4, stepSize }],
  });
}

const from = new Float32Array(totalBytes / 4).fill(1);
const to = new Float32Array(totalBytes / 4).fill(2);
const simd = simdKernels(memory);
const plain = plainKernels(memory);
const blender = createBlender({ workers: 1, timeoutMs: 60_000 });

const cases: Record<string, () => void | Promise<void>> = {
  'copy once (Float32Array.set)': () => to.set(from),
  'plain loop, in place': () => {
    blendPlain(slow, fast, slow, stepSize);
    fast.set(slow);
  },
  'plain loops, crash-safe': () => {
    for (const job of jobs) {
      beginChunk(job);
      blendChunk(job, plain);
    }
  },
  'SIMD, in place, block by block': () => {
    const length = BLOCK_BYTES / 4;
    for (let at = 0; at < totalBytes; at += BLOCK_BYTES) {
      simd.blend(slowByte + at, fastByte + at, slowByte + at, length, stepSize);
      simd.copy(slowByte + at, fastByte + at, length);
    }
  },
  'SIMD, crash-safe (blendChunk)': () => {
    for (const job of jobs) {
      beginChunk(job);
      blendChunk(job, simd);
    }
  },
  'the same in 1 worker thread': async () => {
    for (const job of jobs) beginChunk(job);
    await Promise.all(jobs.map((job) => blender.blend(job)));
  },
};

// Interleaved, so that a slow spell of the machine falls on all cases alike.
const timesMs = Object.fromEntries(Object.keys(cases).map((name) => [name, [] as number[]]));
for (let round = 0; round < warmups + repeats; round++) {
  for (const [name, run] of Object.entries(cases)) {
    const start = performance.now();
    await run();
    if (round >= warmups) timesMs[name]!.push(performance.now() - start);
  }
}
await blender.close();

const [copy = NaN] = Object.values(timesMs).map((times) => spreadOf(times)?.median);
console.log(
  `${totalBytes / MIB} MiB of weights in chunks of ${chunkBytes / MIB} MiB, blocks of ${BLOCK_BYTES / 1024} KiB; ` +
    `${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.versions.node}; median of ${repeats} (min … max)`,
);
for (const [name, times] of Object.entries(timesMs)) {
  const { median = NaN, min = NaN, max = NaN } = spreadOf(times) ?? {};
  const spread = `(${min.toFixed(1)} … ${max.toFixed(1)})`.padEnd(16);
  console.log(
    `${name.padEnd(32)} ${median.toFixed(2).padStart(8)} ms ${spread} ${(median / copy).toFixed(2)} × copy`,
  );
}
