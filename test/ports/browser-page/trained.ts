// Trains some steps with each place of slow weights, saves and resumes: the same in a page and in its worker.

import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers'; // registers the gradients of tfjs-core's ops
import { adam, loadTraining, type Lookahead, lookahead, saveTraining } from 'slowlane';
import { startWebGPU } from 'slowlane/webgpu';

export interface Smoke {
  readonly adapter: string;
  readonly isIsolated: boolean;
  readonly bindingMiB: number;
  /** What is wrong; empty if all is well. */
  readonly faults: readonly string[];
}

const POLICIES = [
  { slow: 'host:f32', moments: 'host:f32' },
  { slow: 'host:f16', moments: 'host:q8' },
  { slow: 'device:f32', moments: 'device:q8' },
] as const;

interface Run {
  readonly optimizer: Lookahead;
  readonly w: tf.Variable;
}

function begin({ slow, moments }: (typeof POLICIES)[number]): Run {
  const w = tf.tidy(() => tf.variable(tf.randomNormal([64, 64], 0, 1, 'float32', 1), true, 'w'));
  return {
    w,
    optimizer: lookahead(adam({ learningRate: 0.01, moments }), { syncPeriod: 3, slow }),
  };
}

async function train({ optimizer, w }: Run, steps: number): Promise<number[]> {
  const losses: number[] = [];
  for (let i = 0; i < steps; i++) {
    const loss = await optimizer.step(() => tf.mean<tf.Scalar>(tf.square(w)), true, [w]);
    losses.push((await loss?.data())?.[0] ?? NaN);
    loss?.dispose();
  }
  return losses;
}

function end({ optimizer, w }: Run): void {
  optimizer.dispose();
  w.dispose();
}

export async function trained(): Promise<Smoke> {
  const gpu = await startWebGPU();
  const faults: string[] = [];
  for (const policy of POLICIES) {
    const whole = begin(policy);
    const losses = await train(whole, 6);
    if (!((losses.at(-1) ?? NaN) < (losses[0] ?? NaN))) faults.push(`${policy.slow}: no progress`);
    const weights = await whole.w.data();
    end(whole); // the name of its weight is free again
    const first = begin(policy);
    await train(first, 3);
    const bytes = await saveTraining(first.optimizer, [first.w]);
    end(first);
    const second = begin(policy);
    await loadTraining(bytes, second.optimizer, [second.w]);
    await train(second, 3);
    const resumed = await second.w.data();
    end(second);
    if (weights.some((value, i) => !Object.is(value, resumed[i]))) {
      faults.push(`${policy.slow}: other weights after saveTraining and loadTraining`);
    }
  }
  const bindingMiB = gpu.limits.maxStorageBufferBindingSize / 2 ** 20;
  gpu.stop();
  return { adapter: gpu.adapter.name, isIsolated: crossOriginIsolated, bindingMiB, faults };
}
