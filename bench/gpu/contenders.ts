// The optimizers of the training cells, each as a step function.

import * as tf from '@tensorflow/tfjs-core';

import {
  type AdamOptions,
  adam,
  type Lookahead,
  lookahead,
  type LookaheadOptions,
  sgd,
} from '../../src/index.js';
import { openOurs, openStock, type TensorDevice } from '../../src/measure/devices.js';
import { learningRateOf } from '../../src/measure/stack.js';
import { offloaded, onDevice, plain, type Stepper } from '../../src/measure/steppers.js';
import type { Meters } from '../../src/measure/meters.js';
import type { Workload } from '../../src/measure/workloads.js';
import type { CellOptions } from './record.js';

interface Contender {
  readonly open: (adapter: string | undefined, meters: Meters) => Promise<TensorDevice>;
  /** The state that a step needs from the first one on. */
  readonly start: (stack: Workload, options: CellOptions) => Stepper | Promise<Stepper>;
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
    start: (stack, options) =>
      onDevice(stack, tf.train.adam(learningRateOf(options)), options.syncPeriod),
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
    start: (stack, options) => onDevice(stack, ourAdam(options, 'keep'), options.syncPeriod),
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
