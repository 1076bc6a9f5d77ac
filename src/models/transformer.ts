// A decoder-only transformer over characters, of operations that have gradients and kernels on every
// backend of TensorFlow.js, also without slowlane's engines: the embedding is one-hot times a matrix, the scores are
// matMul and softmax. No gather, no einsum. Pre-norm blocks as in GPT-2 (Radford and others, 2019).

import * as tf from '@tensorflow/tfjs-core';
import type { Batch, TextShape } from './dataset.js';
import type { Model } from './model.js';

const WIDTH = 64;
const HEADS = 4;
const BLOCKS = 2;
const HEAD_WIDTH = WIDTH / HEADS;
const EPSILON = 1e-5;
/** Added to the scores of hidden places: its exp is 0 in float32. */
const HIDDEN_SCORE = -1e9;

interface Norm {
  readonly scale: tf.Variable;
  readonly shift: tf.Variable;
}

interface Linear {
  readonly weight: tf.Variable;
  readonly bias: tf.Variable;
}

interface Block {
  readonly beforeAttention: Norm;
  readonly query: Linear;
  readonly key: Linear;
  readonly value: Linear;
  readonly attended: Linear;
  readonly beforeMlp: Norm;
  readonly widen: Linear;
  readonly narrow: Linear;
}

export function transformer(data: TextShape, seed: number): Model {
  const made = new Weights(seed);
  const time = data.sequenceLength;
  const embedding = made.matrix('embedding', data.classes, WIDTH);
  const positions = made.matrix('positions', time, WIDTH);
  const blocks = Array.from({ length: BLOCKS }, (_, i) => made.block(`block${i}`));
  const lastNorm = made.norm('last_norm');
  const scores = made.linear('scores', WIDTH, data.classes);
  const mask = causalMask(time);
  return {
    description: `${BLOCKS} blocks of width ${WIDTH}, ${HEADS} heads, ${time} places, ${data.classes} characters`,
    variables: made.all,
    logits(batch: Batch): tf.Tensor2D {
      const [count = 0] = batch.inputs.shape;
      const characters = tf.reshape(batch.inputs, [count * time]);
      const oneHot = tf.cast(tf.oneHot(characters as tf.Tensor1D, data.classes), 'float32');
      const embedded = tf.reshape(tf.matMul(oneHot, embedding), [count, time, WIDTH]);
      let x = tf.reshape<tf.Rank.R2>(tf.add(embedded, positions), [count * time, WIDTH]);
      for (const block of blocks) {
        x = tf.add(x, attention(block, normalized(block.beforeAttention, x), mask));
        x = tf.add(x, feedForward(block, normalized(block.beforeMlp, x)));
      }
      return linear(scores, normalized(lastNorm, x));
    },
    dispose: () => {
      tf.dispose([...made.all]);
      mask.dispose();
    },
  };
}

/** x is [batch · time, width], as everywhere between the blocks. */
function attention(block: Block, x: tf.Tensor2D, mask: tf.Tensor2D): tf.Tensor2D {
  const [time] = mask.shape;
  const count = x.shape[0] / time;
  const split = (part: tf.Tensor2D): tf.Tensor3D => {
    const heads = tf.reshape(part, [count, time, HEADS, HEAD_WIDTH]);
    return tf.reshape(tf.transpose(heads, [0, 2, 1, 3]), [count * HEADS, time, HEAD_WIDTH]);
  };
  const q = split(linear(block.query, x));
  const k = split(linear(block.key, x));
  const v = split(linear(block.value, x));
  // softmax(q·kᵀ / √width + mask)·v, per head
  const raw = tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(HEAD_WIDTH));
  const seen = tf.matMul(tf.softmax(tf.add(raw, mask)), v);
  const joined = tf.transpose(tf.reshape(seen, [count, HEADS, time, HEAD_WIDTH]), [0, 2, 1, 3]);
  return linear(block.attended, tf.reshape(joined, [count * time, WIDTH]));
}

function feedForward(block: Block, x: tf.Tensor2D): tf.Tensor2D {
  return linear(block.narrow, tf.relu(linear(block.widen, x)));
}

function linear(layer: Linear, x: tf.Tensor2D): tf.Tensor2D {
  return tf.add(tf.matMul(x, layer.weight as tf.Tensor2D), layer.bias);
}

/** Layer norm: (x − mean) / √(variance + ε) · scale + shift, along the width. */
function normalized(norm: Norm, x: tf.Tensor2D): tf.Tensor2D {
  const centered = tf.sub(x, tf.mean(x, 1, true));
  const variance = tf.mean(tf.square(centered), 1, true);
  const unit = tf.div(centered, tf.sqrt(tf.add(variance, EPSILON)));
  return tf.add(tf.mul(unit, norm.scale), norm.shift);
}

/** [time, time]: 0 up to the diagonal, HIDDEN above it. */
function causalMask(time: number): tf.Tensor2D {
  const values = Float32Array.from({ length: time * time }, (_, at) =>
    at % time > Math.floor(at / time) ? HIDDEN_SCORE : 0,
  );
  return tf.tensor2d(values, [time, time]);
}

/** How many transformers were made in this process. */
let models = 0;

/** Makes the weights in a fixed order, each with its own seed, and keeps the list. */
class Weights {
  readonly all: tf.Variable[] = [];
  /** tfjs refuses a name that is taken. The ending is the one that it gives to names of layers. */
  readonly #ending = models++ === 0 ? '' : `_${models - 1}`;
  #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** Normal with deviation 0.02, as in GPT-2. */
  matrix(name: string, rows: number, columns: number): tf.Variable<tf.Rank.R2> {
    return this.#keep(name, tf.randomNormal([rows, columns], 0, 0.02, 'float32', ++this.#seed));
  }

  linear(name: string, from: number, to: number): Linear {
    return {
      weight: this.matrix(`${name}/kernel`, from, to),
      bias: this.#keep(`${name}/bias`, tf.zeros([to])),
    };
  }

  norm(name: string): Norm {
    return {
      scale: this.#keep(`${name}/scale`, tf.ones([WIDTH])),
      shift: this.#keep(`${name}/shift`, tf.zeros([WIDTH])),
    };
  }

  block(name: string): Block {
    return {
      beforeAttention: this.norm(`${name}/attention_norm`),
      query: this.linear(`${name}/query`, WIDTH, WIDTH),
      key: this.linear(`${name}/key`, WIDTH, WIDTH),
      value: this.linear(`${name}/value`, WIDTH, WIDTH),
      attended: this.linear(`${name}/attended`, WIDTH, WIDTH),
      beforeMlp: this.norm(`${name}/mlp_norm`),
      widen: this.linear(`${name}/widen`, WIDTH, 4 * WIDTH),
      narrow: this.linear(`${name}/narrow`, 4 * WIDTH, WIDTH),
    };
  }

  #keep<R extends tf.Rank>(name: string, initial: tf.Tensor<R>): tf.Variable<R> {
    const variable = tf.variable(initial, true, `${name}${this.#ending}`);
    initial.dispose();
    this.all.push(variable);
    return variable;
  }
}
