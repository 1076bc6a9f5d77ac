// One try, in a process of its own: does a stack of so many layers train within the budget?

import * as tf from '@tensorflow/tfjs-core';

import { VramBudgetError } from '../../device/webgpu/vram-budget-error.js';
import { adam, lookahead } from '../../index.js';
import { openOurs, openStock, type TensorDevice } from '../devices.js';
import { learningRateOf, makeStack, type Stack } from '../stack.js';
import { offloaded, onDevice, plain, type Stepper } from '../steppers.js';
import { BufferBudget, OverBudgetError } from './budget.js';
import type { FitOptions, Trained } from './fit-record.js';
import { type FitPolicy, fitPolicyNamed } from './policies.js';

export interface TryRequest extends Pick<
  FitOptions,
  'vramBytes' | 'width' | 'batch' | 'steps' | 'syncPeriod' | 'adapter'
> {
  readonly policy: string;
  readonly layers: number;
}

export type TryResult =
  | ({ readonly fits: true } & Trained)
  | { readonly fits: false; readonly reason: string };

/** Rejects for any other reason than the budget. */
export async function tryStack(request: TryRequest): Promise<TryResult> {
  try {
    return { fits: true, ...(await train(request, fitPolicyNamed(request.policy))) };
  } catch (error) {
    const budgetError = budgetErrorIn(error);
    if (budgetError === null) throw error;
    return { fits: false, reason: budgetError.message };
  }
}

async function train(request: TryRequest, policy: FitPolicy): Promise<Trained> {
  const { device, memory } = await open(request, policy);
  const stack = await makeStack(device, request);
  const stepper = await start(stack, request, policy);
  const losses: number[] = [];
  for (let step = 0; step < request.steps; step++) {
    const cost = await stepper.step(true);
    const [loss = NaN] = (await cost?.data<'float32'>()) ?? [];
    cost?.dispose();
    await device.finished();
    losses.push(loss);
  }
  checkTrained(losses, stepper, request);
  return { ...memory(), losses };
}

interface Opened {
  readonly device: TensorDevice;
  readonly memory: () => Pick<Trained, 'peakBytes' | 'hostBytes'>;
}

async function open({ adapter, vramBytes }: TryRequest, { ours }: FitPolicy): Promise<Opened> {
  const named = adapter ?? undefined;
  const budget = new BufferBudget(ours === null ? vramBytes : Infinity);
  if (ours === null) {
    const device = await openStock(named, budget);
    return { device, memory: () => ({ peakBytes: budget.peakBytes, hostBytes: 0 }) };
  }
  // The engine keeps its budget itself, and counts what it keeps in host memory apart.
  const device = await openOurs(named, budget, vramBytes);
  return {
    device,
    memory: () => {
      const { peakBytes, hostBytes } = device.engine.memory();
      return { peakBytes, hostBytes };
    },
  };
}

async function start(
  stack: Stack,
  { width, syncPeriod }: TryRequest,
  { ours, lookahead: hasLookahead }: FitPolicy,
): Promise<Stepper> {
  const learningRate = learningRateOf({ width });
  if (ours !== null) {
    return offloaded(stack, lookahead(adam({ learningRate, ...ours }), { syncPeriod }));
  }
  const theirs = tf.train.adam(learningRate);
  return hasLookahead ? onDevice(stack, theirs, syncPeriod) : plain(stack, theirs);
}

/** Wrong numbers would be no training. */
function checkTrained(
  losses: readonly number[],
  stepper: Stepper,
  { steps, syncPeriod }: TryRequest,
): void {
  if (!losses.every(Number.isFinite)) {
    throw new Error(`The losses are not finite: ${losses.join(', ')}.`);
  }
  const syncs = Math.floor(steps / syncPeriod);
  const made = stepper.stats?.().syncs ?? syncs;
  if (made !== syncs) throw new Error(`There were ${made} syncs instead of ${syncs}.`);
}

/** A sync may have wrapped it. */
function budgetErrorIn(error: unknown): Error | null {
  for (let one = error; one instanceof Error; one = one.cause) {
    if (one instanceof VramBudgetError || one instanceof OverBudgetError) return one;
  }
  return null;
}
