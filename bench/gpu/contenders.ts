// The optimizers of the training cells, each as a step function.

import * as tf from '@tensorflow/tfjs-core';

import {
  type AdamOptions,
  adam,
  type Lookahead,
  lookahead,
  type LookaheadOptions,
  type LookaheadStats,
  sgd,
} from '../../src/index.js';
import { openOurs, openStock, type TensorDevice } from './devices.js';
import type { Meters } from './meters.js';
import type { CellOptions } from './record.js';
import { learningRateOf, type Stack } from './stack.js';

export interface Stepper {
  /** One step, and the sync that it ends with; the loss, the caller's, if `returnCost`. */
  step(returnCost: boolean): Promise<tf.Scalar | null>;
  readonly stats?: () => LookaheadStats;
}

interface Contender {
  readonly open: (adapter: string | undefined, meters: Meters) => Promise<TensorDevice>;
  /** The state that a step needs from the first one on. */
  readonly start: (stack: Stack, options: CellOptions) => Stepper | Promise<Stepper>;
}

type Gradients = NonNullable<AdamOptions['gradients']>;

export const contenders: Readonly<Record<string, Contender>> = {
  sgd: {
    open: openOurs,
    // A rate at which nothing blows up; its losses are compared with no other's.
    start: (stack, options) => plain(stack, sgd({ learningRate: learningRateOf(options) })),
  },
  'tfjs-adam': {
    open: openStock,
    start: (stack, options) => plain(stack, tf.train.adam(learningRateOf(options))),
  },
  'tfjs-adam-lookahead': {
    open: openStock,
    start: (stack, options) => onDevice(stack, tf.train.adam(learningRateOf(options)), options),
  },
  'adam-keep': {
    open: openOurs,
    start: (stack, options) => plain(stack, ourAdam(options, 'keep')),
  },
  'adam-release': {
    open: openOurs,
    start: (stack, options) => plain(stack, ourAdam(options, 'release')),
  },
  'adam-keep-lookahead-device': {
    open: openOurs,
    start: (stack, options) => onDevice(stack, ourAdam(options, 'keep'), options),
  },
  'lookahead-keep-f32': {
    open: openOurs,
    start: (stack, options) => offloaded(stack, ourLookahead(options, 'keep', 'host:f32')),
  },
  'lookahead-release-f32': {
    open: openOurs,
    start: (stack, options) => offloaded(stack, ourLookahead(options, 'release', 'host:f32')),
  },
  'lookahead-release-f16': {
    open: openOurs,
    start: (stack, options) => offloaded(stack, ourLookahead(options, 'release', 'host:f16')),
  },
};

export function ourAdam(options: CellOptions, gradients: Gradients): tf.Optimizer {
  return adam({ learningRate: learningRateOf(options), gradients });
}

/** `slow` is taken as a word: a format that this version has not is an error of the cell, not of the build. */
export function ourLookahead(options: CellOptions, gradients: Gradients, slow: string): Lookahead {
  return lookahead(ourAdam(options, gradients), {
    syncPeriod: options.syncPeriod,
    slow: slow as NonNullable<LookaheadOptions['slow']>,
  });
}

function plain({ weights, loss }: Stack, optimizer: tf.Optimizer): Stepper {
  return { step: async (returnCost) => optimizer.minimize(loss, returnCost, weights) };
}

async function offloaded({ weights, loss }: Stack, optimizer: Lookahead): Promise<Stepper> {
  await optimizer.attach(weights);
  return {
    step: (returnCost) => optimizer.step(loss, returnCost, weights),
    stats: () => optimizer.stats(),
  };
}

/** What one writes without slowlane: slow weights as variables beside the fast ones, α = 1/2. */
function onDevice(
  { weights, loss }: Stack,
  optimizer: tf.Optimizer,
  { syncPeriod }: CellOptions,
): Stepper {
  const pairs = weights.map((fast) => ({
    fast,
    slow: tf.tidy(() => tf.variable(tf.clone(fast), false)),
  }));
  let steps = 0;
  return {
    async step(returnCost) {
      const cost = optimizer.minimize(loss, returnCost, weights);
      steps += 1;
      if (steps % syncPeriod !== 0) return cost;
      for (const { fast, slow } of pairs) {
        tf.tidy(() => slow.assign(tf.add(slow, tf.mul(tf.sub(fast, slow), 0.5))));
        tf.tidy(() => fast.assign(tf.clone(slow)));
      }
      return cost;
    },
  };
}
