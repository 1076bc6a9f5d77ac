// Whether an engine trains: it is started as `slowlane train` starts it, and takes two steps with a sync after
// each. Runs in its own process, because a driver may crash it.

import * as tf from '@tensorflow/tfjs-core';

import { adam, lookahead } from '../../index.js';
import type { ModelName } from '../../models/names.js';
import type { EngineName } from '../train/options.js';
import { reasonOf, RunError } from '../terminal/cli-error.js';
import { startEngine } from '../train/engine.js';
import type { EngineReport } from './report.js';

export interface EngineRequest {
  readonly engine: EngineName;
  readonly model: ModelName;
}

export async function tryEngine({
  engine,
  model,
}: EngineRequest): Promise<Pick<EngineReport, 'startedAs' | 'reason' | 'remedy'>> {
  process.env['TF_FORCE_GPU_ALLOW_GROWTH'] ??= 'true'; // else TensorFlow takes the whole card
  let startedAs: string | null = null;
  try {
    startedAs = (await startEngine(engine, model)).name;
    await takeSteps();
    return { startedAs, reason: null, remedy: null };
  } catch (error) {
    const remedy = error instanceof RunError ? error.remedy : null;
    return { startedAs, reason: reasonOf(error), remedy };
  }
}

const STEPS = 2;

async function takeSteps(): Promise<void> {
  const x = tf.randomNormal([8, 4], 0, 1, 'float32', 1);
  const w = tf.tidy(() => tf.variable(tf.ones([4, 2])));
  const optimizer = lookahead(adam({ learningRate: 0.1 }), { syncPeriod: 1 });
  const losses: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    const loss = await optimizer.step(() => tf.mean<tf.Scalar>(tf.square(tf.matMul(x, w))), true, [
      w,
    ]);
    losses.push((await loss?.data<'float32'>())?.[0] ?? NaN);
  }
  await optimizer.finish();
  const [first = NaN, last = NaN] = losses;
  if (last < first) return;
  throw new Error(`It computes wrongly: two steps took a loss from ${first} to ${last}.`);
}
