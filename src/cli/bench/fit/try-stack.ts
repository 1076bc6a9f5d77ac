// One try, in a process of its own: does a stack of so many layers train within the budget?

import { VramBudgetError } from '../../../engines/webgpu/memory/vram-budget-error.js';
import {
  openOurs,
  openStock,
  type TensorDevice,
  UNWATCHED,
} from '../../../measure/devices/devices.js';
import { Meters, OverBudgetError } from '../../../measure/meters/meters.js';
import type { FitOptions, Trained } from './record.js';
import { type BenchPolicy, policyNamed } from '../../../measure/workloads/policies.js';
import { makeStack } from '../../../measure/workloads/stack.js';
import { trainPolicy } from '../../../measure/workloads/train-policy.js';

export interface TryRequest extends FitOptions {
  readonly policy: string;
  readonly layers: number;
}

export type TryResult =
  | ({ readonly fits: true } & Trained)
  | { readonly fits: false; readonly reason: string };

/** Rejects for any other reason than the budget. */
export async function tryStack(request: TryRequest): Promise<TryResult> {
  try {
    return { fits: true, ...(await train(request, policyNamed(request.policy))) };
  } catch (error) {
    const budgetError = budgetErrorIn(error);
    if (budgetError === null) throw error;
    return { fits: false, reason: budgetError.message };
  }
}

async function train(request: TryRequest, policy: BenchPolicy): Promise<Trained> {
  const { device, memory } = await open(request, policy);
  const stack = await makeStack(device, request);
  const { losses } = await trainPolicy(device, stack, policy, request);
  return { ...memory(), losses };
}

interface Opened {
  readonly device: TensorDevice;
  readonly memory: () => Pick<Trained, 'peakBytes' | 'hostBytes'>;
}

async function open({ adapter, vramBytes }: TryRequest, { ours }: BenchPolicy): Promise<Opened> {
  const named = adapter ?? undefined;
  if (ours === null) {
    const meters = new Meters(vramBytes);
    const device = await openStock(named, meters);
    return { device, memory: () => ({ peakBytes: meters.peakBufferBytes, hostBytes: 0 }) };
  }
  // The engine keeps its budget itself, and counts what it keeps in host memory apart.
  const device = await openOurs(named, UNWATCHED, vramBytes);
  return {
    device,
    memory: () => {
      const { peakBytes, hostBytes } = device.engine.memory();
      return { peakBytes, hostBytes };
    },
  };
}

/** A sync may have wrapped it. */
function budgetErrorIn(error: unknown): Error | null {
  for (let one = error; one instanceof Error; one = one.cause) {
    if (one instanceof VramBudgetError || one instanceof OverBudgetError) return one;
  }
  return null;
}
