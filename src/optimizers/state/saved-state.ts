/**
 * The saved form of an optimizer's state: first the counters, `[iterations, n, steps of each of the n weights]`,
 * as one int32 tensor; then the state tensors in float32, weight by weight. It is the same for all places and
 * precisions that state can be kept in.
 */
import * as tf from '@tensorflow/tfjs-core';
import { SlowlaneError } from '../../checks/errors.js';
import { hostTensor } from '../../tfjs/host-tensor.js';
import type { NamedTensor } from '../../tfjs/named-tensor.js';
import type { PendingState } from './optimizer-state.js';

export interface SavedState {
  readonly iterations: number;
  readonly weights: readonly PendingState[];
}

/** The counters take no device memory. State tensors are passed on as they are. */
export function saveState(
  owner: string,
  iterations: number,
  state: { steps: readonly number[]; tensors: readonly NamedTensor[] },
): NamedTensor[] {
  const counters = Int32Array.of(iterations, state.steps.length, ...state.steps);
  const tensor = hostTensor(counters, [counters.length]);
  return [{ name: `${owner}/counters`, tensor }, ...state.tensors];
}

/**
 * Copies `saved` before the first await, because the caller may dispose the tensors then.
 *
 * @param onHost Read the values to the host, so that the tensors take no device memory.
 * @returns tensors that the caller owns.
 * @throws SlowlaneError STATE_MISMATCH if `saved` has another form. Then nothing is left behind.
 */
export async function loadState(
  owner: string,
  tensorsPerWeight: number,
  saved: readonly NamedTensor[],
  { onHost }: { readonly onHost: boolean },
): Promise<SavedState> {
  // A clone shares the data; tensors never change, so that is a copy.
  const copies = saved.map(({ name, tensor }) => ({ name, tensor: tf.keep(tensor.clone()) }));
  try {
    const head = copies[0];
    if (head === undefined || head.tensor.dtype !== 'int32' || head.tensor.rank !== 1) {
      throw mismatch(owner, `must begin with its counters, got ${describe(head)}`);
    }
    const [iterations = 0, count = 0, ...steps] = await head.tensor.data<'int32'>();
    if (steps.length !== count) {
      throw mismatch(owner, `counts ${count} weights but has step counts of ${steps.length}`);
    }
    const given = copies.length - 1;
    if (given !== count * tensorsPerWeight) {
      throw mismatch(
        owner,
        `must have ${tensorsPerWeight} state tensors for each of its ${count} weights, got ${given}`,
      );
    }
    for (const entry of copies.slice(1)) {
      if (entry.tensor.dtype !== 'float32') {
        throw mismatch(owner, `got ${describe(entry)}, not float32`);
      }
      if (onHost) await bringToHost(entry);
    }
    const weights = steps.map((n, i) => {
      const first = 1 + i * tensorsPerWeight;
      const own = copies.slice(first, first + tensorsPerWeight);
      checkSameShape(owner, own);
      const { name = '', tensor } = own[0] ?? {};
      const weightName = name.slice(0, name.lastIndexOf('/'));
      return { name: weightName, shape: tensor?.shape ?? [], steps: n, tensors: own };
    });
    head.tensor.dispose();
    return { iterations, weights };
  } catch (error) {
    tf.dispose(copies.map(({ tensor }) => tensor));
    throw error;
  }
}

async function bringToHost(entry: { tensor: tf.Tensor }): Promise<void> {
  const { tensor } = entry;
  const values = await tensor.data<'float32'>();
  entry.tensor = tf.keep(tf.tensor(values.slice(), tensor.shape));
  tensor.dispose();
}

function checkSameShape(owner: string, [first, ...others]: readonly NamedTensor[]): void {
  for (const other of others) {
    if (!first || tf.util.arraysEqual(other.tensor.shape, first.tensor.shape)) continue;
    throw mismatch(
      owner,
      `has state of one weight in two shapes: ${describe(first)}, ${describe(other)}`,
    );
  }
}

function mismatch(owner: string, what: string): SlowlaneError {
  return new SlowlaneError(
    'STATE_MISMATCH',
    `The saved state of ${owner} ${what}. Was it saved by another optimizer, or with other options?`,
    { optimizer: owner },
  );
}

function describe(entry: NamedTensor | undefined): string {
  if (entry === undefined) return 'nothing';
  const { dtype, shape } = entry.tensor;
  return `'${entry.name}' (${dtype}, shape [${shape.join(', ')}])`;
}
