// `slowlane plan`: asks the driver and reads the model if the request says so, then plans and prints.

import { askNvidia, bytesOf } from '../../engines/tensorflow/nvidia.js';
import { SlowlaneError } from '../../checks/errors.js';
import type { Plan } from '../../plan/make-plan.js';
import type { PlannableModel } from '../../plan/model.js';
import { plan, type PlanOptions } from '../../plan/plan.js';
import { EXIT, reasonOf, UsageError } from '../terminal/cli-error.js';
import type { PlanRequest } from './command.js';
import { planText } from './text.js';
import { print } from '../terminal/print.js';

/** Prints the plan. Resolves to the exit code. */
export async function printPlan(request: PlanRequest): Promise<number> {
  const made = planOf(await optionsOf(request));
  print(request.json ? JSON.stringify(made, null, 2) : planText(made, process.stdout.columns));
  return made.pick === null ? EXIT.failed : 0;
}

async function optionsOf(request: PlanRequest): Promise<PlanOptions> {
  const { params, model, vram, override, host, batch, activations, json: _, ...same } = request;
  if (model === undefined && override.length > 0) {
    throw new UsageError(
      '--override picks weights by name, and --params has no names. Give the model: --model path/model.json.',
    );
  }
  const given: { [K in keyof PlanOptions]: PlanOptions[K] | undefined } = {
    ...same,
    weights: params,
    model: model === undefined ? undefined : await readModel(model),
    vramBudget: vram,
    deviceMemoryBytes: vram === 'auto' ? await freeDeviceMemory() : undefined,
    hostBudget: host,
    batchSize: batch,
    activationBytes: activations,
    overrides: override.map(({ weights, ...values }) => ({ weights: RegExp(weights), ...values })),
  };
  const isGiven = ([, value]: [string, unknown]) => value !== undefined;
  return Object.fromEntries(Object.entries(given).filter(isGiven)) as unknown as PlanOptions;
}

async function readModel(path: string): Promise<PlannableModel> {
  // Loaded only if needed, because it loads all of TensorFlow.js.
  const { readModelFile } = await import('./model-file.js');
  return readModelFile(path);
}

function planOf(options: PlanOptions): Plan {
  try {
    return plan(options);
  } catch (error) {
    const isUnmatched = error instanceof SlowlaneError && error.code === 'UNMATCHED_OVERRIDE';
    if (!(isUnmatched || error instanceof TypeError || error instanceof RangeError)) throw error;
    throw new UsageError(error.message, { cause: error });
  }
}

/** The free memory of the first GPU that nvidia-smi lists. */
async function freeDeviceMemory(): Promise<number> {
  try {
    const [[free] = []] = await askNvidia('--query-gpu=memory.free');
    const bytes = bytesOf(free);
    if (bytes !== null && bytes > 0) return bytes;
    throw new Error(`it printed ${JSON.stringify((free ?? '').slice(0, 40))}`);
  } catch (error) {
    const [reason] = reasonOf(error).split('\n');
    throw new UsageError(
      `--vram auto asks nvidia-smi, which did not report the free memory (${reason}). Give the size: --vram 4GiB.`,
      { cause: error },
    );
  }
}
