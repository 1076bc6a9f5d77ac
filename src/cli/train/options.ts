// The options of `slowlane train`: checked once, with defaults filled in, immutable from then on.

import type { ModelName } from '../../models/names.js';
import type { DataName, EngineName } from './choices.js';
import type { GradientLifetime, MomentPolicy } from '../../optimizers/step-options.js';
import type { SlowFormat } from '../../slow/slow-format.js';

export const INNER_NAMES = [
  'sgd',
  'momentum',
  'rmsprop',
  'adagrad',
  'adam',
  'adamw',
  'lion',
] as const;
export type InnerName = (typeof INNER_NAMES)[number];

/** Those that keep a second moment, which the adaptive slow step size takes for the curvature. */
export const INNER_WITH_CURVATURE: readonly InnerName[] = ['rmsprop', 'adagrad', 'adam', 'adamw'];

export const INNER_STATES = ['maintain', 'interpolate', 'reset'] as const;
export type InnerState = (typeof INNER_STATES)[number];

export interface LookaheadOptions {
  readonly syncPeriod: number;
  readonly slowStepSize: number | 'adaptive';
  readonly innerState: InnerState;
  readonly slow: SlowFormat;
  /** Undefined leaves the number to the library: cores − 1, at least 1. */
  readonly workers: number | undefined;
}

/** How long to train; with epochs, the steps follow from the data. */
export type Duration =
  | { readonly unit: 'epochs'; readonly count: number }
  | { readonly unit: 'steps'; readonly count: number };

export interface TrainOptions {
  readonly data: DataName;
  readonly dataDir: string | undefined;
  readonly model: ModelName;
  readonly inner: InnerName;
  readonly learningRate: number;
  readonly gradients: GradientLifetime;
  readonly moments: MomentPolicy;
  /** Micro-batches to a step. */
  readonly accumulate: number;
  /** Undefined: the inner optimizer alone. */
  readonly lookahead: LookaheadOptions | undefined;
  readonly engine: EngineName;
  /** Of the device, in bytes; undefined: no limit. Only with the engine webgpu. */
  readonly vram: number | undefined;
  readonly duration: Duration;
  readonly batchSize: number;
  readonly seed: number;
  /** Steps from one look at the test data to the next; undefined: at the end alone. */
  readonly validateEvery: number | undefined;
  readonly timeline: boolean;
  readonly out: string;
  /** Folder for files of events; undefined: none. */
  readonly tensorboard: string | undefined;
  /** Port of the live page, 0 for a free one; undefined: nothing listens. */
  readonly live: number | undefined;
}

/** Usual for each rule; Lion takes a third to a tenth of Adam's (arXiv 2302.06675). */
export const LEARNING_RATES: Readonly<Record<InnerName, number>> = {
  sgd: 0.1,
  momentum: 0.02,
  rmsprop: 1e-3,
  adagrad: 0.02,
  adam: 1e-3,
  adamw: 1e-3,
  lion: 2e-4,
};

/** Enough to learn something in minutes on two slow cores. */
export const EPOCHS: Readonly<Record<ModelName, number>> = {
  mlp: 4,
  cnn: 1,
  lstm: 1,
  transformer: 1,
};

export const BATCH_SIZES: Readonly<Record<ModelName, number>> = {
  mlp: 64,
  cnn: 32,
  lstm: 32,
  transformer: 32,
};
