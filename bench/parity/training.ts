// One training, in this process, which was started for it.

import { setImmediate as nextTurn } from 'node:timers/promises';
import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers'; // registers the gradients of tfjs-core's ops
import { type DataSet, disposeBatch } from '../../src/models/dataset.js';
import { loadData } from '../../src/cli/data/load.js';
import { seededRandom } from '../../src/cli/data/batches.js';
import { evaluate, meanCrossEntropy } from '../../src/models/cross-entropy.js';
import { makeModel } from '../../src/models/make.js';
import type { Model } from '../../src/models/model.js';
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

/** Of a training: Lookahead is one, and an inner optimizer is made one. */
export interface Steps {
  step(loss: () => tf.Scalar): Promise<tf.Scalar | null>;
  finish(): Promise<void>;
}

export async function train({ condition, contender, seed }: Training): Promise<Trained> {
  await tf.setBackend('wasm');
  await tf.ready();
  const data = await loadData(condition.data, undefined, console.warn);
  const { steps, learningRate: initial } = condition;
  const learningRate = condition.anneals
    ? schedules.cosine({ initial, decaySteps: steps })
    : initial;
  const inner = adam({ learningRate, moments: momentsOf(contender) });
  const outer = condition.lookahead ? lookahead(inner) : null;
  return trainModel(data, condition, seed, (model) => {
    if (contender === 'control') disturb(model.variables, seed);
    const weights = [...model.variables];
    return {
      step: async (loss) =>
        outer === null ? inner.minimize(loss, true, weights) : outer.step(loss, true, weights),
      async finish() {
        await outer?.finish();
        (outer ?? inner).dispose();
      },
    };
  });
}

/** Trains the model for `data` from `seed`, and evaluates it after `finish`. */
export async function trainModel(
  data: DataSet,
  { steps, batchSize }: Pick<Condition, 'steps' | 'batchSize'>,
  seed: number,
  start: (model: Model) => Steps,
): Promise<Trained> {
  const startedAt = performance.now();
  const model = makeModel(data.kind === 'text' ? 'transformer' : 'mlp', data, seed);
  const stepper = start(model);
  const batches = data.batches(batchSize, seed);
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    await nextTurn(); // else nobody could end it
    const batch = batches.next().value;
    const cost = await stepper.step(() => meanCrossEntropy(model, batch));
    losses.push((await cost?.data<'float32'>())?.[0] ?? NaN);
    cost?.dispose();
    disposeBatch(batch);
  }
  await stepper.finish();
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
