// Balances a pole on a cart by policy gradients: plays some games, and makes actions of long games more likely.
// Used here: gradients of each action by tf.variableGrads(), summed up over games with their rewards and applied by hand
// at the end of a round, with names and tensors of our own.

import * as tf from '@tensorflow/tfjs';
import { lookahead, sgd } from 'slowlane'; // new

const GAMES = 4;
const MOST_ACTIONS = 20;

/** The pole's angle and its velocity; it falls at an angle beyond 0.5. */
type State = [angle: number, velocity: number];

function push([angle, velocity]: State, isRight: boolean): State {
  const next = velocity + 0.1 * Math.sin(angle) + (isRight ? -0.06 : 0.06);
  return [angle + next, next];
}

interface Played {
  readonly gradients: tf.NamedTensorMap;
  readonly actionsLeft: number;
}

/** One game. The gradients are those of the logarithm of each action's probability. */
function play(policy: tf.LayersModel): Played[] {
  const played: tf.NamedTensorMap[] = [];
  let state: State = [Math.random() / 5 - 0.1, 0];
  while (Math.abs(state[0]) < 0.5 && played.length < MOST_ACTIONS) {
    let isRight = false;
    const loss = () => {
      const logit = policy.predict(tf.tensor2d([[4 * state[0], 10 * state[1]]])) as tf.Tensor;
      isRight = Math.random() < (tf.sigmoid(logit).dataSync()[0] ?? 0);
      return tf.losses.sigmoidCrossEntropy([[isRight ? 1 : 0]], logit).asScalar();
    };
    const { value, grads } = tf.variableGrads(loss);
    value.dispose();
    played.push(grads);
    state = push(state, isRight);
  }
  return played.map((gradients, i) => ({ gradients, actionsLeft: played.length - i }));
}

export async function train() {
  const policy = tf.sequential();
  policy.add(tf.layers.dense({ units: 6, activation: 'tanh', inputShape: [2], useBias: false }));
  policy.add(tf.layers.dense({ units: 1 }));
  // was: const optimizer = tf.train.sgd(4);
  const optimizer = lookahead(sgd({ learningRate: 4 }));
  const losses: number[] = [];
  for (let round = 0; round < 18; round++) {
    const games = Array.from({ length: GAMES }, () => play(policy));
    const actions = games.flat();
    const mean = actions.reduce((sum, { actionsLeft }) => sum + actionsLeft, 0) / actions.length;
    const gradients: tf.NamedTensorMap = {};
    for (const name of Object.keys(actions[0]?.gradients ?? {})) {
      gradients[name] = tf.tidy(() => {
        const scaled = actions.map(({ gradients, actionsLeft }) =>
          (gradients[name] as tf.Tensor).mul((actionsLeft - mean) / MOST_ACTIONS),
        );
        return tf.stack(scaled).mean(0);
      });
    }
    optimizer.applyGradients(gradients);
    await optimizer.sync(); // new
    tf.dispose([gradients, actions.map(({ gradients }) => gradients)]);
    losses.push(MOST_ACTIONS - actions.length / GAMES);
  }
  await optimizer.finish(); // new
  return { losses, weights: policy.getWeights() };
}
