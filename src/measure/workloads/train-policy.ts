// A few steps of one policy, for what they take of memory.

import * as tf from '@tensorflow/tfjs-core';

import { adam, lookahead, type LookaheadStats } from '../../index.js';
import type { SlowFormat } from '../../slow/slow-format.js';
import type { TrainingDevice } from '../devices/devices.js';
import type { BenchPolicy } from './policies.js';
import { offloaded, onDevice, plain, type Stepper } from './steppers.js';
import type { Workload } from './workloads.js';

export interface Training {
  readonly steps: number;
  readonly syncPeriod: number;
  /** Of slowlane's Lookahead; default `'host:f32'`. */
  readonly slow?: SlowFormat;
}

export interface PolicyTrained {
  /** Before each step. */
  readonly losses: number[];
  /** Null without slowlane's Lookahead. */
  readonly stats: LookaheadStats | null;
}

/** Throws for losses that are not finite, and for other syncs than those asked for. */
export async function trainPolicy(
  device: TrainingDevice,
  workload: Workload,
  policy: BenchPolicy,
  training: Training,
): Promise<PolicyTrained> {
  const stepper = await startPolicy(workload, policy, training);
  const losses: number[] = [];
  for (let step = 0; step < training.steps; step++) {
    const cost = await stepper.step(true);
    const [loss = NaN] = (await cost?.data<'float32'>()) ?? [];
    cost?.dispose();
    await device.finished();
    losses.push(loss);
  }
  checkTrained(losses, stepper, training);
  return { losses, stats: stepper.stats?.() ?? null };
}

/** With the state that a step needs from the first one on. */
export async function startPolicy(
  workload: Workload,
  { ours, slow }: BenchPolicy,
  { syncPeriod, slow: format = 'host:f32' }: Omit<Training, 'steps'>,
): Promise<Stepper> {
  const { learningRate } = workload;
  const inner = () =>
    ours === null ? tf.train.adam(learningRate) : adam({ learningRate, ...ours });
  if (slow === null) return plain(workload, inner());
  if (slow === 'variables') return onDevice(workload, inner(), syncPeriod);
  return offloaded(workload, lookahead(inner(), { syncPeriod, slow: format }));
}

/** Wrong numbers would be no training. */
function checkTrained(
  losses: readonly number[],
  stepper: Stepper,
  { steps, syncPeriod }: Training,
): void {
  if (!losses.every(Number.isFinite)) {
    throw new Error(`The losses are not finite: ${losses.join(', ')}.`);
  }
  const syncs = Math.floor(steps / syncPeriod);
  const made = stepper.stats?.().syncs ?? syncs;
  if (made !== syncs) throw new Error(`There were ${made} syncs instead of ${syncs}.`);
}
