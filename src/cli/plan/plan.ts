// `slowlane plan`: asks the driver and reads the model where the request says so, plans, prints.

import { askNvidia, bytesOf } from '../../measure/nvidia.js';
import type { Plan } from '../../plan/make-plan.js';
import { plan, type PlanOptions } from '../../plan/plan.js';
import { EXIT, reasonOf, UsageError } from '../terminal/cli-error.js';
import type { PlanRequest } from './command.js';
import { planText } from './text.js';

/** Prints the plan, and returns the exit code. */
export async function printPlan(request: PlanRequest): Promise<number> {
  const made = planOf({
    ...(await subjectOf(request)),
    inner: request.inner,
    vramBudget: request.vram,
    ...(request.vram === 'auto' ? { deviceMemoryBytes: await freeDeviceMemory() } : {}),
    batchSize: request.batch,
    accumulate: request.accumulate,
    syncPeriod: request.syncPeriod,
    ...defined({
      hostBudget: request.host,
      bus: request.bus,
      gradients: request.gradients,
      moments: request.moments,
      slow: request.slow,
    }),
  });
  console.log(
    request.json ? JSON.stringify(made, null, 2) : planText(made, process.stdout.columns),
  );
  return made.pick === null ? EXIT.failed : 0;
}

async function subjectOf(
  request: PlanRequest,
): Promise<Pick<PlanOptions, 'model' | 'weights' | 'layers' | 'activationBytes'>> {
  if (request.model !== undefined) {
    // Loaded only when needed: TensorFlow.js takes its time.
    const { readModelFile } = await import('./model-file.js');
    return { model: await readModelFile(request.model) };
  }
  return defined({
    weights: request.params,
    layers: request.layers,
    activationBytes: request.activations,
  });
}

function planOf(options: PlanOptions): Plan {
  try {
    return plan(options);
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    throw new UsageError(error.message, { cause: error });
  }
}

/** Of the first GPU that nvidia-smi knows. */
async function freeDeviceMemory(): Promise<number> {
  try {
    const [[free] = []] = await askNvidia('--query-gpu=memory.free');
    const bytes = bytesOf(free);
    if (bytes !== null && bytes > 0) return bytes;
    throw new Error(`it printed ${JSON.stringify((free ?? '').slice(0, 40))}`);
  } catch (error) {
    const [reason] = reasonOf(error).split('\n');
    throw new UsageError(
      `--vram auto asks nvidia-smi, which didn't tell (${reason}). Give the size: --vram 4GiB.`,
      { cause: error },
    );
  }
}

/** Without what is undefined. */
function defined<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
