// A few steps of one policy, for what they take of memory.

import * as tf from '@tensorflow/tfjs-core';

import { adam, lookahead } from '../index.js';
import type { SlowFormat } from '../policy/slow-format.js';
import type { TensorDevice } from './devices.js';
import type { BenchPolicy } from './policies.js';
import { learningRateOf, type Stack } from './stack.js';
import { offloaded, onDevice, plain, type Stepper } from './steppers.js';

export interface Training {
  readonly width: number;
  readonly steps: number;
  readonly syncPeriod: number;
  /** Of slowlane's Lookahead; default `'host:f32'`. */
  readonly slow?: SlowFormat;
}

/** The loss before each step. Throws for losses that are not finite, and for other syncs than those asked for. */
export async function trainPolicy(
  device: TensorDevice,
  stack: Stack,
  policy: BenchPolicy,
  training: Training,
): Promise<number[]> {
  const stepper = await startPolicy(stack, policy, training);
  const losses: number[] = [];
  for (let step = 0; step < training.steps; step++) {
    const cost = await stepper.step(true);
    const [loss = NaN] = (await cost?.data<'float32'>()) ?? [];
    cost?.dispose();
    await device.finished();
    losses.push(loss);
  }
  checkTrained(losses, stepper, training);
  return losses;
}

/** With the state that a step needs from the first one on. */
export async function startPolicy(
  stack: Stack,
  { ours, slow }: BenchPolicy,
  { width, syncPeriod, slow: format = 'host:f32' }: Omit<Training, 'steps'>,
): Promise<Stepper> {
  const learningRate = learningRateOf({ width });
  const inner = () =>
    ours === null ? tf.train.adam(learningRate) : adam({ learningRate, ...ours });
  if (slow === null) return plain(stack, inner());
  if (slow === 'variables') return onDevice(stack, inner(), syncPeriod);
  return offloaded(stack, lookahead(inner(), { syncPeriod, slow: format }));
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
