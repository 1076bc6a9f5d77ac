// A LayersModel from its model.json: shapes alone, so that a model of any size is read in a moment.

import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import '@tensorflow/tfjs-backend-cpu';
import type { PlannableModel } from '../../plan/model.js';
import { unconnected } from './layer-graph.js';
import { isNotFound, reasonOf, UsageError } from '../terminal/cli-error.js';
import { readText } from '../terminal/given-file.js';

/** @throws UsageError if there is no LayersModel in it. The weights of the file are not read. */
export async function readModelFile(path: string): Promise<PlannableModel> {
  const topology = topologyOf(path, await textOf(path));
  // On Node the cpu backend would advertise tfjs-node when it is first used.
  tf.env().set('IS_NODE', false);
  await tf.setBackend('cpu');
  const problem = unconnected(topology);
  if (problem !== null) throw new UsageError(`--model ${path} holds no model: ${problem}.`);
  try {
    return await tfl.loadLayersModel({
      load: () => Promise.resolve({ modelTopology: withZeros(topology) as object }),
    });
  } catch (error) {
    throw new UsageError(`--model ${path} can't be read as a LayersModel: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

async function textOf(path: string): Promise<string> {
  try {
    return await readText(path);
  } catch (error) {
    const reason = isNotFound(error) ? "doesn't exist" : `can't be read: ${reasonOf(error)}`;
    throw new UsageError(`--model ${path} ${reason}. Give the path of a model.json.`, {
      cause: error,
    });
  }
}

function topologyOf(path: string, text: string): object {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`--model ${path} is not JSON: ${reasonOf(error)}`, { cause: error });
  }
  const { format, modelTopology, config } = (json ?? {}) as Readonly<Record<string, unknown>>;
  if (format === 'graph-model') {
    throw new UsageError(
      `--model ${path} is a graph-model, which can't be trained. Give a layers-model, as model.save() writes it.`,
    );
  }
  if (typeof modelTopology === 'object' && modelTopology !== null) return modelTopology;
  // The topology alone, as model.toJSON() gives it.
  if (typeof config === 'object' && config !== null) return json as object;
  throw new UsageError(
    `--model ${path} holds no model: there is no modelTopology in it. Give a model.json, as model.save() writes it.`,
  );
}

/** Random values would be drawn for every weight: zeros are pages that nobody touches. */
function withZeros(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(withZeros);
  if (typeof json !== 'object' || json === null) return json;
  const entries = Object.entries(json).map(([key, value]) => {
    const isInitializer =
      /_?initializer$/i.test(key) && typeof value === 'object' && value !== null;
    return [key, isInitializer ? { class_name: 'Zeros', config: {} } : withZeros(value)] as const;
  });
  return Object.fromEntries(entries);
}
