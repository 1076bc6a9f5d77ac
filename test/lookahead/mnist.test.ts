// 50 steps of MNIST on the real data: our Adam against tfjs's, Lookahead against the plain reference.

import * as tf from '@tensorflow/tfjs-core';
import { adam, lookahead } from 'slowlane';
import { expect, test } from 'vitest';

import { loadData } from '#src/cli/data/load.js';
import { meanCrossEntropy } from '#src/models/cross-entropy.js';
import { MNIST_SHAPE } from '#src/models/dataset.js';
import { mlp } from '#src/models/layers.js';

import { onEveryEngine } from '../engines.js';
import { plainAdamLookahead } from '../reference/plain-lookahead.js';

const STEPS = 50;
const LEARNING_RATE = 1e-3;
const K = 5;
const ALPHA = 0.5;

onEveryEngine(() => {
  test(
    'losses: adam() is tf.train.adam, lookahead(adam()) is the plain reference, to 1e-5',
    { timeout: 300_000 },
    async () => {
      const data = await loadData('mnist', undefined, () => {});

      /** Losses of 50 steps from the same weights over the same batches. */
      const losses = async (
        step: (loss: () => tf.Scalar, weights: tf.Variable[]) => Promise<number>,
      ) => {
        const model = mlp(MNIST_SHAPE, 7);
        const batches = data.batches(32, 7);
        const seen: number[] = [];
        for (let i = 0; i < STEPS; i++) {
          const batch = batches.next().value;
          seen.push(await step(() => meanCrossEntropy(model, batch), [...model.variables]));
          tf.dispose([batch.inputs, batch.labels]);
        }
        model.dispose();
        return seen;
      };
      const number = async (cost: tf.Scalar | null) => {
        const [value = NaN] = cost ? await cost.data() : [];
        cost?.dispose();
        return value;
      };

      const theirs = tf.train.adam(LEARNING_RATE);
      const ours = adam({ learningRate: LEARNING_RATE });
      const expected = await losses((f, weights) => number(theirs.minimize(f, true, weights)));
      const plain = await losses((f, weights) => number(ours.minimize(f, true, weights)));

      const optimizer = lookahead(adam({ learningRate: LEARNING_RATE }), {
        syncPeriod: K,
        slowStepSize: ALPHA,
      });
      const offloaded = await losses(async (f, weights) =>
        number(await optimizer.step(f, true, weights)),
      );
      expect(optimizer.stats().syncs).toBe(STEPS / K);
      await optimizer.finish();

      let reference: ReturnType<typeof plainAdamLookahead> | undefined;
      let doubles: Float64Array[] = [];
      const byReference = await losses(async (f, weights) => {
        doubles = reference ? doubles : weights.map((w) => Float64Array.from(w.dataSync()));
        reference ??= plainAdamLookahead(doubles, {
          learningRate: LEARNING_RATE,
          syncPeriod: K,
          slowStepSize: ALPHA,
        });
        const { value, grads } = tf.variableGrads(f, weights);
        reference(weights.map((w) => (grads[w.name] as tf.Tensor).dataSync()));
        weights.forEach((w, i) =>
          tf.tidy(() =>
            w.assign(tf.tensor(Float32Array.from(doubles[i] as Float64Array), w.shape)),
          ),
        );
        tf.dispose(grads);
        return number(value as tf.Scalar);
      });

      expect(expected[0]).toBeGreaterThan(2); // ln 10: nothing is learnt yet …
      expect(expected.at(-1)).toBeLessThan(1); // … and then it is
      for (let i = 0; i < STEPS; i++) {
        expect(
          Math.abs((plain[i] as number) - (expected[i] as number)),
          `adam(), step ${i + 1}`,
        ).toBeLessThan(1e-5);
        expect(
          Math.abs((offloaded[i] as number) - (byReference[i] as number)),
          `lookahead, step ${i + 1}`,
        ).toBeLessThan(1e-5);
      }
      expect(offloaded.at(-1)).not.toBeCloseTo(plain.at(-1) as number, 4); // it does something
    },
  );
});
