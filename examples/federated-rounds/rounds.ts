// Federated averaging: in each round every client trains its own model for a few batches, then all get the mean of
// their weights. The training loop belongs to a framework: it calls `fitDataset` once a batch, passes no callbacks, and
// replaces the weights after each round.
//
// Two options make Lookahead fit in. `sync: 'inline'`: the step that ends a cycle syncs by itself. `replaced: 'resync'`:
// the mean that a round brings is the new slow weight too.

import * as tf from '@tensorflow/tfjs';
import { adam, type Lookahead, lookahead } from 'slowlane';

const BATCHES_A_ROUND = 20;
const BATCH = 16;

interface Client {
  readonly model: tf.Sequential;
  readonly optimizer: Lookahead;
  readonly xs: tf.Tensor;
  readonly ys: tf.Tensor;
}

/** Trains `clients` for `rounds`; returns the mean loss of the shared model on all data, before and after each round. */
export async function federate({ clients: count = 3, rounds = 5 } = {}): Promise<number[]> {
  const clients = Array.from({ length: count }, (_, i) => makeClient(i));
  const losses = [await share(clients)];
  for (let round = 0; round < rounds; round++) {
    for (const client of clients) await trainLocally(client, round);
    losses.push(await share(clients));
  }
  for (const { model, optimizer, xs, ys } of clients) {
    optimizer.dispose();
    model.dispose();
    tf.dispose([xs, ys]);
  }
  return losses;
}

/** Each client sees another part of the plane of y = sin(3a) + b². */
function makeClient(i: number): Client {
  const kernelInitializer = tf.initializers.glorotUniform({ seed: i });
  const model = tf.sequential({
    layers: [
      tf.layers.dense({ units: 16, inputShape: [2], activation: 'tanh', kernelInitializer }),
      tf.layers.dense({ units: 1, kernelInitializer }),
    ],
  });
  const optimizer = lookahead(adam({ learningRate: 0.1 }), {
    slowStepSize: 0.8,
    sync: 'inline',
    replaced: 'resync',
  });
  model.compile({ optimizer, loss: 'meanSquaredError' });
  const xs = tf.tidy(() =>
    tf.add(tf.randomUniform([BATCH * BATCHES_A_ROUND, 2], -1, 1, 'float32', i + 1), [i / 4, 0]),
  );
  const ys = tf.tidy(() => {
    const [a, b] = tf.split(xs, 2, 1) as [tf.Tensor, tf.Tensor];
    return tf.add(tf.sin(tf.mul(a, 3)), tf.square(b));
  });
  return { model, optimizer, xs, ys };
}

/** The framework's loop: one call a batch. */
async function trainLocally({ model, xs, ys }: Client, round: number): Promise<void> {
  for (let batch = 0; batch < BATCHES_A_ROUND; batch++) {
    const at = ((batch + round) % BATCHES_A_ROUND) * BATCH;
    const one = { xs: tf.slice(xs, at, BATCH), ys: tf.slice(ys, at, BATCH) };
    await model.fitDataset(tf.data.array([one]), { epochs: 1 });
    tf.dispose([one.xs, one.ys]);
  }
}

/** Gives all clients the mean of their weights. Returns the mean of the losses with it. */
async function share(clients: readonly Client[]): Promise<number> {
  const all = clients.map(({ model }) => model.getWeights());
  const means = tf.tidy(() =>
    (all[0] ?? []).map((_, i) => {
      const same = all.map((weights) => weights[i] as tf.Tensor);
      return tf.div(tf.addN(same), same.length);
    }),
  );
  let sum = 0;
  for (const { model, xs, ys } of clients) {
    model.setWeights(means);
    const loss = model.evaluate(xs, ys) as tf.Scalar;
    sum += (await loss.data<'float32'>())[0] ?? NaN;
    loss.dispose();
  }
  tf.dispose(means);
  return sum / clients.length;
}
