/** What TensorFlow.js's own optimizers save: `iter`, then groups of one tensor for each weight, `WEIGHT/ENDING`. */
import * as tf from '@tensorflow/tfjs-core';
import { SlowlaneError } from '../../checks/errors.js';
import type { NamedTensor } from '../../tfjs/named-tensor.js';
import type { SavedEntry } from './match-saved.js';
import { splitName } from './state-names.js';
import { isTfjsState } from './tfjs-state.js';

/** By class name, the endings of its groups, in order. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  SGD: [],
  Momentum: ['momentum'],
  Adagrad: ['accumulator'],
  Adadelta: ['accum_grad', 'accum_var'],
  Adam: ['m', 'v'],
  RMSProp: ['rms', 'momentum'],
};

export interface ForeignState {
  readonly iterations: number;
  /** The weights in the order in which the optimizer got them. null: only the optimizer knows. */
  readonly weights: readonly SavedEntry[] | null;
}

/** @throws SlowlaneError STATE_MISMATCH unless `optimizer` can have saved `entries`. */
export async function readForeign(
  optimizer: tf.Optimizer,
  entries: readonly NamedTensor[],
): Promise<ForeignState> {
  const name = optimizer.getClassName();
  const endings = endingsOf(name, optimizer);
  const [head, ...state] = entries;
  if (!endings && head?.name !== 'iter') return { iterations: -1, weights: null };
  if (!head || !isTfjsState(entries)) {
    throw mismatch(name, `must begin with its step count 'iter', got '${head?.name ?? 'nothing'}'`);
  }
  const [iterations = -1] = await head.tensor.data<'int32'>();
  if (iterations < 0) throw mismatch(name, `has the step count ${iterations}`);
  if (!endings) return { iterations, weights: null };
  const count = endings.length === 0 ? 0 : state.length / endings.length;
  const weights = state.slice(0, count).map(({ name: of, tensor }) => {
    return { name: splitName(of).weight, shape: tensor.shape };
  });
  const isFit = state.every(({ name: of, tensor }, i) => {
    const weight = weights[i % count];
    return (
      of === `${weight?.name ?? ''}/${endings[Math.floor(i / count)] ?? ''}` &&
      tensor.dtype === 'float32' &&
      tf.util.arraysEqual(tensor.shape, weight?.shape ?? [])
    );
  });
  const isUnique = new Set(weights.map((weight) => weight.name)).size === weights.length;
  if (Number.isInteger(count) && isFit && isUnique) return { iterations, weights };
  throw mismatch(name, `is not in groups of one tensor for each weight (${endings.join(', ')})`);
}

function endingsOf(name: string, optimizer: tf.Optimizer): readonly string[] | undefined {
  const endings = GROUPS[name];
  const isCentered = optimizer.getConfig()['centered'] === true;
  return endings && isCentered ? [...endings, 'mg'] : endings;
}

function mismatch(optimizer: string, what: string): SlowlaneError {
  return new SlowlaneError(
    'STATE_MISMATCH',
    `The saved state of ${optimizer} ${what}. Was it saved by another optimizer, or with other options?`,
    { optimizer },
  );
}
