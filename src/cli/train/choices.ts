// The data, models and engines that can be trained, and their combinations. Only names, so that --help and a refused
// request don't load TensorFlow.js.

import type { DataShape } from '../../models/dataset.js';
import { MODEL_NAMES, type ModelName, needsConvolutions, WASM_LIMIT } from '../../models/names.js';
import { UsageError } from '../terminal/cli-error.js';

export const DATA_NAMES = ['mnist', 'fashion-mnist', 'moby-dick'] as const;
export type DataName = (typeof DATA_NAMES)[number];
type DataKind = DataShape['kind'];

export const ENGINE_NAMES = ['auto', 'webgpu', 'tensorflow', 'wasm', 'cpu'] as const;
export type EngineName = (typeof ENGINE_NAMES)[number];

const KIND_OF: Readonly<Record<DataName, DataKind>> = {
  mnist: 'images',
  'fashion-mnist': 'images',
  'moby-dick': 'text',
};

const TRAINS_ON: Readonly<Record<ModelName, readonly DataKind[]>> = {
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

/** Throws a UsageError if the three cannot be combined. */
export function checkCombination(data: DataName, model: ModelName, engine: EngineName): void {
  const kind = KIND_OF[data];
  if (!TRAINS_ON[model].includes(kind)) {
    const fitting = MODEL_NAMES.filter((other) => TRAINS_ON[other].includes(kind));
    throw new UsageError(
      `--model ${model} trains on ${TRAINS_ON[model].join(' and ')}, but --data ${data} is ${kind}. ` +
        `Models for it: ${fitting.join(', ')}.`,
    );
  }
  if (engine === 'wasm' && needsConvolutions(model)) {
    throw new UsageError(
      `--engine wasm with --model ${model}: ${WASM_LIMIT}. Use --engine auto, cpu or tensorflow.`,
    );
  }
}
