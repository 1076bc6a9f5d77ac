// One training.

import { setImmediate as nextTurn } from 'node:timers/promises';
import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers'; // registers the gradients of tfjs-core's ops
import { disposeBatch } from '../../src/models/dataset.js';
import { loadData } from '../../src/cli/data/load.js';
import { seededRandom } from '../../src/cli/data/batches.js';
import { evaluate, meanCrossEntropy } from '../../src/models/cross-entropy.js';
import { makeModel } from '../../src/models/make.js';
import { adam, lookahead, schedules } from '../../src/index.js';
import { type Contender, DISTURBANCE, momentsOf } from './conditions.js';
import type { Condition } from './record.js';

export interface Training {
  readonly condition: Condition;
  readonly contender: Contender;
  readonly seed: number;
}

export interface Trained {
  /** Of the batch of each step, before it. */
  readonly losses: readonly number[];
  /** Over all test examples that the data set has. */
  readonly testLoss: number;
  readonly testAccuracy: number;
  readonly seconds: number;
}

export async function train({ condition, contender, seed }: Training): Promise<Trained> {
  await tf.setBackend('wasm');
  await tf.ready();
  const data = await loadData(condition.data, undefined, console.warn);
  const startedAt = performance.now();
  const { steps, batchSize, learningRate: initial } = condition;
  const learningRate = condition.anneals
    ? schedules.cosine({ initial, decaySteps: steps })
    : initial;
  const inner = adam({ learningRate, moments: momentsOf(contender) });
  const outer = condition.lookahead ? lookahead(inner) : null;
  const model = makeModel(data.kind === 'text' ? 'transformer' : 'mlp', data, seed);
  if (contender === 'control') disturb(model.variables, seed);
  const weights = [...model.variables];
  const batches = data.batches(batchSize, seed);
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    await nextTurn(); // else nobody could end it
    const batch = batches.next().value;
    const loss = () => meanCrossEntropy(model, batch);
    const cost = outer
      ? await outer.step(loss, true, weights)
      : inner.minimize(loss, true, weights);
    losses.push((await cost?.data<'float32'>())?.[0] ?? NaN);
    cost?.dispose();
    disposeBatch(batch);
  }
  await outer?.finish();
  (outer ?? inner).dispose();
  const { loss: testLoss, accuracy: testAccuracy } = await evaluate(model, data.testBatches(64));
  model.dispose();
  const seconds = (performance.now() - startedAt) / 1000;
  return { losses, testLoss, testAccuracy, seconds };
}

function disturb(variables: readonly tf.Variable[], seed: number): void {
  const random = seededRandom(seed);
  for (const variable of variables) {
    const factors = Float32Array.from({ length: variable.size }, () =>
      random() < 0.5 ? 1 - DISTURBANCE : 1 + DISTURBANCE,
    );
    tf.tidy(() => variable.assign(tf.mul(variable, tf.tensor(factors, variable.shape))));
  }
}
