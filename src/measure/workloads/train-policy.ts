// A few steps of one policy, for what they take of memory.

import * as tf from '@tensorflow/tfjs-core';

import { adam, lookahead, type LookaheadStats } from '../../index.js';
import type { SlowFormat } from '../../slow/slow-format.js';
import type { TrainingDevice } from '../devices/devices.js';
import type { BenchPolicy } from './policies.js';
import { offloaded, onDevice, plain, readLoss, type Stepper, type Workload } from './steppers.js';

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
    losses.push(await readLoss(await stepper.step(true)));
    await device.finished();
  }
  const stats = stepper.lookahead?.stats() ?? null;
  const syncs = Math.floor(training.steps / training.syncPeriod);
  if (stats !== null && stats.syncs !== syncs) {
    throw new Error(`There were ${stats.syncs} syncs instead of ${syncs}.`);
  }
  return { losses, stats };
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
