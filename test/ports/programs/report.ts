// What the programs under the counting layer have in common: readings of both sides, printed as one line of JSON.

import * as tf from '@tensorflow/tfjs';
import type { WebGPUEngine } from 'slowlane/webgpu';

import { countsIn, type Counts } from '../driver.js';

export interface Reading {
  readonly what: string;
  readonly allocatedBytes: number;
  readonly peakBytes: number;
  readonly hostBytes: number;
  readonly driver: Counts;
}

const log = process.env['COUNTING_LAYER_LOG'] ?? '';

export async function read(what: string, gpu: WebGPUEngine): Promise<Reading> {
  await gpu.backend.queue.onSubmittedWorkDone();
  const { allocatedBytes, peakBytes, hostBytes } = gpu.memory();
  return { what, allocatedBytes, peakBytes, hostBytes, driver: countsIn(log) };
}

/** The driver gets back what was destroyed once commands that came after have ended. */
export async function settle(gpu: WebGPUEngine): Promise<void> {
  gpu.backend.pool.trim();
  for (let i = 0; i < 3; i++) {
    await tf.tidy(() => tf.square(tf.scalar(i))).data();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  gpu.backend.pool.trim();
}

export function print(readings: object): never {
  console.log(`\n${JSON.stringify(readings)}`);
  process.exit(0);
}

export function variables(count: number, shape: number[]): tf.Variable[] {
  return Array.from({ length: count }, () => tf.tidy(() => tf.variable(tf.randomNormal(shape))));
}

/** Its gradients are made on the device; those of a sum would be uploaded. */
export function squares(weights: readonly tf.Variable[]): () => tf.Scalar {
  return () =>
    tf.tidy(() =>
      weights
        .map((weight) => tf.mean(tf.square(weight)) as tf.Scalar)
        .reduce((a, b) => tf.add(a, b)),
    );
}
