// Peak device bytes per parameter of a training step, by tfjs's own count (logical: every tensor that
// lives, blind to a backend's pool). Deterministic, so one run is enough.
//   npm run bench:memory

import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import Table from 'cli-table3';

import { adam, lookahead, sgd } from '../src/index.js';

const LAYERS = 8;
const WIDTH = 256;
const BATCH = 32;
const SYNC_PERIOD = 3;
const STEPS = 2 * SYNC_PERIOD;

interface Contender {
  readonly name: string;
  make(): {
    step(loss: () => tf.Scalar, weights: tf.Variable[]): void;
    after?(weights: tf.Variable[], step: number): Promise<void>;
    hostBytes?(): number;
  };
}

const contenders: readonly Contender[] = [
  { name: 'sgd() (the floor)', make: () => inner(sgd({ learningRate: 1e-3 })) },
  { name: 'tf.train.adam', make: () => inner(tf.train.adam(1e-3)) },
  { name: 'tf.train.adam, Lookahead on the device', make: () => onDevice(tf.train.adam(1e-3)) },
  { name: 'adam()', make: () => inner(adam()) },
  { name: 'adam(), Lookahead on the device', make: () => onDevice(adam()) },
  { name: 'lookahead(adam())', make: offloaded },
];

function inner(optimizer: tf.Optimizer) {
  return {
    step: (loss: () => tf.Scalar, weights: tf.Variable[]) =>
      void optimizer.minimize(loss, false, weights),
  };
}

/** What one writes without slowlane: slow weights as variables beside the fast ones. */
function onDevice(optimizer: tf.Optimizer) {
  let slow: tf.Variable[] = [];
  return {
    step(loss: () => tf.Scalar, weights: tf.Variable[]) {
      if (slow.length === 0)
        slow = weights.map((w) => tf.tidy(() => tf.variable(tf.clone(w), false)));
      optimizer.minimize(loss, false, weights);
    },
    async after(weights: tf.Variable[], step: number) {
      if (step === 0 || step % SYNC_PERIOD !== 0) return;
      weights.forEach((fast, i) => {
        const phi = slow[i] as tf.Variable;
        tf.tidy(() => phi.assign(tf.add(phi, tf.mul(tf.sub(fast, phi), 0.5))));
        tf.tidy(() => fast.assign(tf.clone(phi)));
      });
    },
  };
}

function offloaded() {
  const optimizer = lookahead(adam(), { syncPeriod: SYNC_PERIOD });
  return {
    step: (loss: () => tf.Scalar, weights: tf.Variable[]) =>
      void optimizer.minimize(loss, false, weights),
    after: async (weights: tf.Variable[], step: number) => {
      await optimizer.sync();
      if (step === 0) await optimizer.attach(weights);
    },
    hostBytes: () => optimizer.stats().host.slowBytes + optimizer.stats().host.stagingBytes,
  };
}

/** Peak bytes of the second half of the steps: when all state exists and one sync is among them. */
async function measure(
  candidate: Contender,
): Promise<{ peak: number; host: number; parameters: number }> {
  const model = tfl.sequential();
  for (let i = 0; i < LAYERS; i++) {
    model.add(
      tfl.layers.dense({ units: WIDTH, inputShape: [WIDTH], useBias: false, activation: 'relu' }),
    );
  }
  const weights = model.trainableWeights.map((w) => w.read() as tf.Variable);
  const [x, y] = [tf.randomNormal([BATCH, WIDTH]), tf.randomNormal([BATCH, WIDTH])];
  const loss = () => tf.mean<tf.Scalar>(tf.squaredDifference(model.apply(x) as tf.Tensor, y));
  const contender = candidate.make();
  await contender.after?.(weights, 0);
  let peak = 0;
  for (let step = 1; step <= STEPS; step++) {
    const profile = await tf.profile(async () => {
      contender.step(loss, weights);
      await contender.after?.(weights, step);
      return tf.zeros([0]);
    });
    if (step > STEPS / 2) peak = Math.max(peak, profile.peakBytes);
  }
  const host = contender.hostBytes?.() ?? 0;
  model.dispose();
  tf.disposeVariables();
  return { peak, host, parameters: LAYERS * WIDTH * WIDTH };
}

await tf.setBackend('cpu');
console.log(
  `${LAYERS} dense layers of ${WIDTH}×${WIDTH}, batch ${BATCH}, k = ${SYNC_PERIOD}; tfjs ${tf.version_core}`,
);
const table = new Table({
  head: ['optimizer', 'device B/parameter', 'host B/parameter'],
  colAligns: ['left', 'right', 'right'],
  style: { head: [], border: [] },
});
for (const contender of contenders) {
  const { peak, host, parameters } = await measure(contender);
  table.push([
    contender.name,
    (peak / parameters).toFixed(1),
    host === 0 ? '–' : (host / parameters).toFixed(1),
  ]);
}
console.log(table.toString());
