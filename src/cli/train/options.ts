// The options of `slowlane train`: the data, models and engines that can be trained, and defaults that depend on other
// options. Only names, so that --help and a refused request don't load TensorFlow.js.

import type { DataShape } from '../../models/dataset.js';
import type { ModelName } from '../../models/names.js';
import type { GradientLifetime, MomentPolicy } from '../../optimizers/step-options.js';
import type { InnerName } from '../../optimizers/rules/names.js';
import type { SlowFormat } from '../../slow/slow-format.js';
import type { Override } from '../terminal/override.js';

export const DATA_NAMES = ['mnist', 'fashion-mnist', 'moby-dick'] as const;
export type DataName = (typeof DATA_NAMES)[number];
type DataKind = DataShape['kind'];

export const ENGINE_NAMES = ['auto', 'webgpu', 'tensorflow', 'wasm', 'cpu'] as const;
export type EngineName = (typeof ENGINE_NAMES)[number];

export const KIND_OF: Readonly<Record<DataName, DataKind>> = {
  mnist: 'images',
  'fashion-mnist': 'images',
  'moby-dick': 'text',
};

export const TRAINS_ON: Readonly<Record<ModelName, readonly DataKind[]>> = {
  mlp: ['images'],
  cnn: ['images'],
  lstm: ['images', 'text'],
  transformer: ['text'],
};

/** The model when none is named. */
export const DEFAULT_MODELS: Readonly<Record<DataKind, ModelName>> = {
  images: 'mlp',
  text: 'transformer',
};

export function defaultModel(data: DataName): ModelName {
  return DEFAULT_MODELS[KIND_OF[data]];
}

/** The optimizers with a second moment, which the adaptive slow step size uses as the curvature. */
export const INNER_WITH_CURVATURE: readonly InnerName[] = ['rmsprop', 'adagrad', 'adam', 'adamw'];

export const INNER_STATES = ['maintain', 'interpolate', 'reset'] as const;
export type InnerState = (typeof INNER_STATES)[number];

/** What commander hands over; the parsers and choices of command.ts make these types true. */
export interface RawTrainOptions {
  readonly data: DataName;
  readonly dataDir?: string;
  readonly model?: ModelName;
  readonly inner: InnerName;
  readonly learningRate?: number;
  readonly gradients: GradientLifetime;
  readonly moments: MomentPolicy;
  /** Micro-batches per step. */
  readonly accumulate: number;
  /** False: the inner optimizer alone. */
  readonly lookahead: boolean;
  readonly syncPeriod: number;
  readonly slowStepSize: number | 'adaptive';
  readonly innerState: InnerState;
  readonly slow: SlowFormat;
  /** The first that matches a weight counts. */
  readonly override: readonly Override[];
  /** Left out, the library decides: cores − 1, at least 1. */
  readonly workers?: number;
  readonly engine: EngineName;
  /** Bytes that may be allocated on the device; no limit if left out. Only with the engine webgpu. */
  readonly vram?: number;
  readonly epochs?: number;
  /** Instead of epochs. */
  readonly steps?: number;
  readonly batchSize?: number;
  readonly seed: number;
  /** Steps between two evaluations on the test data; left out, only at the end. */
  readonly validateEvery?: number;
  readonly timeline?: boolean;
  readonly out: string;
  /** Folder for event files. */
  readonly tensorboard?: string;
  /** Port of the live page; true for a free one. */
  readonly live?: number | true;
}

/** Checked, with defaults filled in. */
export type TrainOptions = RawTrainOptions &
  Required<Pick<RawTrainOptions, 'model' | 'learningRate' | 'batchSize'>>;

/** Usual for each rule. Lion takes a third to a tenth of Adam's (arXiv 2302.06675). */
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
