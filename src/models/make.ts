// The models by name.

import type { ModelName } from './names.js';
import type { DataShape } from './dataset.js';
import { cnn, lstm, mlp } from './layers.js';
import type { Model } from './model.js';
import { transformer } from './transformer.js';

/** Makes a model with fresh weights, which `seed` decides. */
export function makeModel(name: ModelName, data: DataShape, seed: number): Model {
  if (name === 'lstm') return lstm(data, seed);
  if (name === 'transformer' && data.kind === 'text') return transformer(data, seed);
  if (name === 'mlp' && data.kind === 'images') return mlp(data, seed);
  if (name === 'cnn' && data.kind === 'images') return cnn(data, seed);
  throw new RangeError(`The model '${name}' can't be trained on ${data.kind}.`);
}
