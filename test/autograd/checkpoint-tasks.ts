import * as tf from '@tensorflow/tfjs-core';
import { noise } from '../engines.js';

type Block = (...inputs: tf.Tensor[]) => tf.Tensor;
/** `checkpoint`, or the block as it is. */
export type Wrap = (block: Block) => Block;
export interface Task {
  readonly weights: tf.Variable[];
  readonly data?: tf.Tensor[];
  readonly loss: () => tf.Scalar;
}

export const plainly: Wrap = (block) => block;
export const meanSquare = (x: tf.Tensor): tf.Scalar => tf.mean<tf.Scalar>(tf.square(x));

export function weight(shape: number[], seed: number, trainable = true): tf.Variable {
  return tf.tidy(() => tf.variable(tf.mul(noise(shape, seed), 0.5), trainable));
}

const dense = (x: tf.Tensor, w: tf.Variable, b: tf.Variable): tf.Tensor =>
  tf.tanh(tf.add(tf.matMul(x, w), b));

export function stack(wrap: Wrap, perBlock = 2): Task {
  const weights = [0, 1, 2, 3].flatMap((i) => [weight([6, 6], i + 1), weight([6], i + 11)]);
  const blocks = [0, 1, 2, 3]
    .filter((i) => i % perBlock === 0)
    .map((start) =>
      wrap((x) => {
        let y = x;
        for (let i = start; i < start + perBlock; i++) {
          y = dense(y, weights[2 * i]!, weights[2 * i + 1]!);
        }
        return y;
      }),
    );
  const x = noise([4, 6], 50);
  const loss = () => meanSquare(blocks.reduce((y, block) => block(y), x));
  return { weights, data: [x], loss };
}

export const TASKS: [string, (wrap: Wrap) => Task][] = [
  ['a stack in two blocks', stack],
  ['a stack in one block', (wrap) => stack(wrap, 4)],
  [
    'residual blocks, whose input is used twice inside and once more outside',
    (wrap) => {
      const weights = [1, 2, 3].map((seed) => weight([5, 5], seed));
      const blocks = weights.map((w) =>
        wrap((x) => tf.add(tf.mul(x, tf.sigmoid(x)), tf.matMul(tf.tanh(x), w))),
      );
      const x = noise([3, 5], 9);
      const loss = () => {
        const all = [tf.matMul(x, weights[0]!)];
        for (const block of blocks) all.push(tf.add(block(all.at(-1)!), all.at(-1)!));
        return tf.addN(all.map(meanSquare)) as tf.Scalar;
      };
      return { weights, data: [x], loss };
    },
  ],
  [
    'a weight used twice in each of two blocks, before, between and after',
    (wrap) => {
      const [tied, other] = [weight([5, 5], 1), weight([5, 5], 2)];
      const step = (x: tf.Tensor) => tf.tanh(tf.add(tf.matMul(x, tied), tf.matMul(x, other)));
      const [first, second] = [
        wrap((x) => step(step(x))),
        wrap((x) => step(tf.mul(step(x), tied))),
      ];
      const x = noise([5, 5], 3);
      const loss = () => {
        const y = tf.matMul(second(tf.sigmoid(tf.matMul(first(tf.matMul(x, tied)), tied))), tied);
        return tf.add<tf.Scalar>(meanSquare(y), tf.sum(tf.mul(tied, tied)));
      };
      return { weights: [tied, other], data: [x], loss };
    },
  ],
  [
    'blocks in blocks in a block',
    (wrap) => {
      const weights = [1, 2, 3].map((seed) => weight([4, 4], seed));
      const [a, b, c] = weights as [tf.Variable, tf.Variable, tf.Variable];
      const inner = wrap((x) => tf.tanh(tf.matMul(tf.add(x, tf.matMul(x, a)), b)));
      const middle = wrap((x) => tf.mul(inner(tf.matMul(x, c)), inner(x)));
      const outer = wrap(wrap((x) => tf.add(middle(middle(x)), tf.mul(x, 0.5))));
      const x = noise([4, 4], 9);
      const loss = () => tf.add<tf.Scalar>(meanSquare(outer(tf.matMul(x, a))), meanSquare(a));
      return { weights, data: [x], loss };
    },
  ],
  [
    'several inputs: one twice, a variable, one that is not used',
    (wrap) => {
      const [a, b] = [weight([4, 4], 1), weight([4, 4], 2)];
      const block = wrap((x, y, again, v) => tf.add(tf.matMul(x!, tf.matMul(y!, v!)), again!));
      const [x, mask] = [noise([4, 4], 3), noise([4, 4], 4)];
      const loss = () => {
        const h = tf.matMul(x, a);
        return meanSquare(tf.mul(block(h, b, h, a, mask), mask));
      };
      return { weights: [a, b], data: [x, mask], loss };
    },
  ],
  [
    'frozen weights, constants and an input without a gradient',
    (wrap) => {
      const [a, b, frozen] = [weight([4, 4], 1), weight([4, 4], 2), weight([4, 4], 3, false)];
      const [x, mask] = [noise([4, 4], 5), noise([4, 4], 6)];
      const block = wrap((y) => {
        const gate = tf.cast(tf.greater(tf.add(x, mask), tf.scalar(0)), 'float32');
        return tf.mul(gate, tf.matMul(tf.matMul(y, frozen), tf.mul(b, 2)));
      });
      const loss = () => meanSquare(block(tf.matMul(block(x), a)));
      return { weights: [a, b, frozen], data: [x, mask], loss };
    },
  ],
  [
    'blocks that give their input, a variable, or a constant',
    (wrap) => {
      const [a, b] = [weight([4, 4], 1), weight([4, 4], 2)];
      const x = noise([4, 4], 5);
      const loss = () => {
        const y = tf.matMul(wrap((z) => z)(a), wrap(() => b)(x));
        return tf.add<tf.Scalar>(
          meanSquare(tf.mul(wrap((z) => z)(y), wrap(() => tf.scalar(3))(x))),
          meanSquare(wrap(() => b)()),
        );
      };
      return { weights: [a, b], data: [x], loss };
    },
  ],
  [
    'random numbers without a seed, of tfjs and of Math.random',
    (wrap) => {
      const weights = [1, 2, 3].map((seed) => weight([8, 8], seed));
      const blocks = weights.map((w) =>
        wrap((x) => {
          const y = tf.dropout(tf.matMul(x, w), 0.4);
          const noisy = tf.add(y, tf.mul(tf.randomNormal([8, 8], 0, 0.1), y));
          return Math.random() < 0.5 ? tf.tanh(noisy) : tf.sigmoid(noisy);
        }),
      );
      const nested = wrap((x) => blocks.reduce((y, block) => tf.dropout(block(y), 0.1), x));
      const x = noise([8, 8], 5);
      return { weights, data: [x], loss: () => meanSquare(nested(nested(x))) };
    },
  ],
  [
    'variables assigned inside, before and after they are read',
    (wrap) => {
      const [a, b] = [weight([4, 4], 1), weight([4, 4], 2)];
      const [counter, average] = [weight([], 3, false), weight([4, 4], 4, false)];
      const block = wrap((x) => {
        const y = tf.matMul(tf.mul(x, counter), a);
        counter.assign(tf.add(counter, 1));
        const z = tf.mul(tf.matMul(y, b), counter);
        average.assign(tf.add(tf.mul(average, 0.9), tf.mul(z, 0.1)));
        return tf.mul(tf.sigmoid(z), average);
      });
      const x = noise([4, 4], 5);
      const loss = () => {
        const y = wrap((z) => block(block(z)))(x);
        counter.assign(tf.sub(counter, 1.5));
        return meanSquare(block(y));
      };
      return { weights: [a, b, counter, average], data: [x], loss };
    },
  ],
  [
    'ops with several outputs, views, customGrad',
    (wrap) => {
      const [a, b] = [weight([4, 6], 1), weight([2, 4], 2)];
      const same = tf.customGrad((x) => ({
        value: x as tf.Tensor,
        gradFunc: (dy) => tf.mul(dy, 2),
      }));
      const block = wrap((x) => {
        const [left, , right] = tf.split(tf.matMul(x, a), 3, 1) as tf.Tensor[];
        return tf.reshape(same(tf.concat([left!, right!, left!], 1)), [2, 6]);
      });
      const x = noise([2, 4], 3);
      const loss = () => meanSquare(tf.matMul(block(tf.mul(x, b)), a, false, true));
      return { weights: [a, b], data: [x], loss };
    },
  ],
];
