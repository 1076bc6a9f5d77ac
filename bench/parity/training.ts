// What is trained, with which moments, and one training.

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
import type { Condition } from './record.js';

const MNIST = { data: 'mnist', steps: 1000, batchSize: 128, learningRate: 1e-3 } as const;
const MOBY_DICK = { data: 'moby-dick', steps: 150, batchSize: 8, learningRate: 3e-3 } as const;

/** Adam, on the models of `slowlane train` in their full size; Lookahead with its defaults. */
export const CONDITIONS: readonly Condition[] = [
  { ...MNIST, name: 'mnist', anneals: true, lookahead: false },
  { ...MOBY_DICK, name: 'moby-dick', anneals: true, lookahead: false },
  { ...MNIST, name: 'mnist-constant', batchSize: 32, anneals: false, lookahead: false },
  { ...MNIST, name: 'mnist-lookahead', anneals: true, lookahead: true },
  { ...MOBY_DICK, name: 'moby-dick-lookahead', anneals: true, lookahead: true },
];

/** `control`: float32 moments and disturbed weights, what training by itself makes of next to nothing. */
export const CONTENDERS = ['f32', 'control', 'q8'] as const;
export type Contender = (typeof CONTENDERS)[number];

/** The control's initial weights are multiplied by 1 ± so much: 16 units in the last place of float32. */
const DISTURBANCE = 1e-6;

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
  const inner = adam({ learningRate, moments: contender === 'q8' ? 'device:q8' : 'device:f32' });
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
