/**
 * A worker that fails as the environment variable SLOWLANE_FAULT says, and otherwise does its work.
 * It runs the real blendChunk, from the sources or from dist/ like the suite around it.
 */
import { writeFileSync } from 'node:fs';
import * as blendModule from '../../../workers/blend.js';
import type { BlendKernels } from '../../../workers/plain-kernels.js';
import * as kernelsModule from '../../../workers/simd-kernels.js';

type BlendJob = blendModule.BlendJob;

export interface Fault {
  readonly at:
    | 'start'
    | 'mid-compute'
    | 'computed'
    | 'marked'
    | 'mid-copy'
    | 'between copies'
    | 'end';
  /** In which block. */
  readonly block: number;
  readonly by: 'exit' | 'uncaught' | 'throw' | 'hang' | 'scribble';
  /** How often, over all threads; counted by files in the folder. */
  readonly times: number;
  readonly folder: string;
}

// The sources are imported statically: in a worker tsx does not serve `import()`.
const build = process.env['SLOWLANE_TARGET'] === 'build' ? '../../../dist/workers/' : undefined;
const modules = (async () => ({
  ...(build === undefined
    ? blendModule
    : ((await import(`${build}blend.js`)) as typeof blendModule)),
  ...(build === undefined
    ? kernelsModule
    : ((await import(`${build}simd-kernels.js`)) as typeof kernelsModule)),
}))();

export default async function work(job: BlendJob): Promise<void> {
  const { blendChunk, kernelsFor } = await modules;
  const fault = JSON.parse(process.env['SLOWLANE_FAULT'] ?? '{}') as Fault;
  const fails = (at: Fault['at']) => fault.at === at && isDue(fault);
  if (fails('start')) await fail(fault, job);
  blendChunk(job, faulty(kernelsFor(job.memory), fault, job));
  if (fails('end')) await fail(fault, job);
}

/** Each block here is one piece and two copies. */
function faulty(kernels: BlendKernels, fault: Fault, job: BlendJob): BlendKernels {
  let pieces = 0;
  let copies = 0;
  const inBlock = (calls: number, at: Fault['at']) =>
    fault.at === at && calls === fault.block && isDue(fault);
  return {
    blend(slow, fast, out, length, stepSize) {
      if (inBlock(pieces, 'mid-compute')) {
        kernels.blend(slow, fast, out, length >> 1, stepSize);
        failNow(fault, job);
      }
      kernels.blend(slow, fast, out, length, stepSize);
      if (inBlock(pieces, 'computed')) failNow(fault, job);
      pieces++;
    },
    dequantize: kernels.dequantize.bind(kernels),
    // What comes first of the two that bring a result to its places, where slow weights are quantized.
    quantize(format, from, to, length, start, draw) {
      if (inBlock(copies / 2, 'marked')) failNow(fault, job);
      if (inBlock(copies / 2, 'mid-copy')) {
        kernels.quantize(format, from, to, length >> 1, start, draw);
        failNow(fault, job);
      }
      kernels.quantize(format, from, to, length, start, draw);
      copies++;
    },
    copy(from, to, length) {
      const second = copies % 2 === 1;
      if (!second && inBlock(copies / 2, 'marked')) failNow(fault, job);
      if (second && inBlock((copies - 1) / 2, 'between copies')) failNow(fault, job);
      if (!second && inBlock(copies / 2, 'mid-copy')) {
        kernels.copy(from, to, length >> 1);
        failNow(fault, job);
      }
      kernels.copy(from, to, length);
      copies++;
    },
  };
}

function isDue({ times, folder }: Fault): boolean {
  for (let i = 0; i < times; i++) {
    try {
      writeFileSync(`${folder}/${i}`, '', { flag: 'wx' });
      return true;
    } catch {
      // this one was used up, by this thread or another
    }
  }
  return false;
}

/**
 * Where the thread may still be asked to wait: an error thrown past everyone needs a turn of the
 * event loop.
 */
async function fail(fault: Fault, job: BlendJob): Promise<void> {
  if (fault.by !== 'uncaught') failNow(fault, job);
  queueMicrotask(() => {
    throw new Error('past everyone');
  });
  await new Promise(() => {});
}

function failNow({ by }: Fault, job: BlendJob): void {
  if (by === 'throw' || by === 'uncaught') throw new Error('a fault for this test');
  if (by === 'exit') process.exit(3);
  if (by === 'hang') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  const scratch = new Float32Array(job.memory.buffer, job.scratchByte, 1024);
  for (;;) scratch.fill(42); // hung, and still writing where it may
}
