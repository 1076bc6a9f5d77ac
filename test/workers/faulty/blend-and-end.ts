/** Blends twice, does what its argument says, and ends. Nothing here ends the process. */
import type * as WorkerBlender from '../../../src/sync/node/worker-blender.js';
import { recordThreads } from '../threads.js';

const built = process.env['SLOWLANE_TARGET'] === 'build';
const { createBlender } = (await import(
  built
    ? '../../../dist/src/sync/node/worker-blender.js'
    : '../../../src/sync/node/worker-blender.js'
)) as typeof WorkerBlender;

const threads = recordThreads();
const blender = createBlender({ workers: 2, timeoutMs: 30_000, smallestForThreads: 0 });

async function blend(memoryId: number): Promise<string> {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const fast = new Float32Array(memory.buffer, 64, 2).fill(4);
  const runs = [{ length: 2, stepSize: 0.5 }];
  await blender.blend({
    memory,
    memoryId,
    slowByte: 0,
    fastByte: 64,
    scratchByte: 128,
    progressByte: 8192,
    runs,
  });
  return fast.join(); // 0 + .5·(4 − 0)
}

const first = await blend(1);
if (process.argv[2] === 'killed an idle thread') await threads.started[0]!.terminate();
process.stdout.write(`${first} ${await blend(2)}`);
if (process.argv[2] === 'closed') await blender.close();
