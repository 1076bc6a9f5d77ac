// Learns to walk right on a strip of fields. An online network is trained towards what a target network says of the next
// state, and the target network is a copy of the online one that is renewed at times.
// Used here: tf.variableGrads() over all weights, those of the batch norm's statistics too, applyGradients() with the map
// that it gives, weights copied by setWeights(getWeights()), a replay memory, epsilon-greedy actions.

import * as tf from '@tensorflow/tfjs';
import { adam, lookahead } from 'slowlane'; // new

const FIELDS = 6;
const ACTIONS = 2;
const DISCOUNT = 0.9;

interface Move {
  readonly from: number;
  readonly action: number;
  readonly reward: number;
  readonly to: number;
  readonly isOver: boolean;
}

function makeNetwork(): tf.LayersModel {
  const model = tf.sequential();
  // A bias before the normalization would have no gradient but rounding errors, which Adam makes into whole steps.
  const inputShape = [FIELDS, 1];
  model.add(tf.layers.conv1d({ filters: 4, kernelSize: 3, useBias: false, inputShape }));
  model.add(tf.layers.batchNormalization());
  model.add(tf.layers.activation({ activation: 'relu' }));
  model.add(tf.layers.flatten());
  model.add(tf.layers.dense({ units: 12, activation: 'relu' }));
  model.add(tf.layers.dropout({ rate: 0.1 }));
  model.add(tf.layers.dense({ units: ACTIONS }));
  return model;
}

const stateOf = (places: number[]) =>
  tf.oneHot(tf.tensor1d(places, 'int32'), FIELDS).toFloat().expandDims(-1);

function move(from: number, action: number): Move {
  const to = Math.max(0, from + (action === 1 ? 1 : -1));
  const isOver = to === FIELDS - 1;
  return { from, action, to, isOver, reward: isOver ? 1 : -0.1 };
}

function copyWeights(target: tf.LayersModel, source: tf.LayersModel): void {
  // tfjs orders the weights of a model by `trainable`, so both must agree.
  target.trainable = true;
  target.setWeights(source.getWeights());
  target.trainable = false;
}

export async function train() {
  const online = makeNetwork();
  const target = makeNetwork();
  copyWeights(target, online);
  // was: const optimizer = tf.train.adam(0.01);
  const optimizer = lookahead(adam({ learningRate: 0.01 }));
  const memory: Move[] = [];
  const losses: number[] = [];
  let place = 0;
  for (let frame = 0; frame < 60; frame++) {
    const greedy = tf.tidy(() => (online.predict(stateOf([place])) as tf.Tensor).argMax(-1));
    const isRandom = Math.random() < 1 - frame / 60;
    const action = isRandom ? Math.floor(Math.random() * ACTIONS) : Number(greedy.dataSync()[0]);
    const made = move(place, action);
    memory.push(made);
    place = made.isOver ? 0 : made.to;
    if (frame < 20) continue;

    const batch = Array.from({ length: 8 }, () => {
      return memory[Math.floor(Math.random() * memory.length)] ?? made;
    });
    const loss = (): tf.Scalar => {
      const values = online.apply(stateOf(batch.map(({ from }) => from)), { training: true });
      const actions = tf.tensor1d(
        batch.map(({ action }) => action),
        'int32',
      );
      const ofAction = (values as tf.Tensor).mul(tf.oneHot(actions, ACTIONS)).sum(-1);
      const next = (target.predict(stateOf(batch.map(({ to }) => to))) as tf.Tensor).max(-1);
      const goesOn = tf.tensor1d(batch.map(({ isOver }) => (isOver ? 0 : 1)));
      const wanted = next
        .mul(goesOn)
        .mul(DISCOUNT)
        .add(batch.map(({ reward }) => reward));
      return tf.losses.meanSquaredError(wanted, ofAction).asScalar();
    };
    const { value, grads } = tf.variableGrads(loss, online.getWeights() as tf.Variable[]);
    optimizer.applyGradients(grads);
    await optimizer.sync(); // new
    losses.push(Number(value.dataSync()[0]));
    tf.dispose([value, grads]);
    if (frame % 10 === 0) copyWeights(target, online);
  }
  await optimizer.finish(); // new
  return { losses, weights: [...online.getWeights(), ...target.getWeights()] };
}
