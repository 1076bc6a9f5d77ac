/**
 * The state of an optimizer as a list of tensors: first the counters `[iterations, n, steps of each of
 * the n weights]` as one int32 tensor, then the slots, weight by weight.
 */
import * as tf from '@tensorflow/tfjs-core';
import { SlowlaneError } from '../../checks/errors.js';
import { hostTensor } from '../../tfjs/host-tensor.js';
import type { NamedTensor } from '../../tfjs/named-tensor.js';
import type { PendingState } from './weight-states.js';

export interface SavedState {
  readonly iterations: number;
  readonly weights: readonly PendingState[];
}

/** The counters take no device memory; the slots are handed through. */
export function saveState(
  owner: string,
  iterations: number,
  state: { steps: readonly number[]; slots: readonly NamedTensor[] },
): NamedTensor[] {
  const counters = Int32Array.of(iterations, state.steps.length, ...state.steps);
  const tensor = hostTensor(counters, [counters.length]);
  return [{ name: `${owner}/counters`, tensor }, ...state.slots];
}

/**
 * Copies in its synchronous part, because the caller may dispose the tensors at once. The caller owns
 * the result, with `onHost` not on the device; what is not in the form above throws STATE_MISMATCH and leaves
 * nothing behind.
 */
export async function loadState(
  owner: string,
  slotsPerWeight: number,
  saved: readonly NamedTensor[],
  { onHost }: { readonly onHost: boolean },
): Promise<SavedState> {
  // A clone shares the data; tensors never change, so that is a copy.
  const copies = saved.map(({ name, tensor }) => ({ name, tensor: tf.keep(tensor.clone()) }));
  try {
    const [head, ...slots] = copies;
    if (head === undefined || head.tensor.dtype !== 'int32' || head.tensor.rank !== 1) {
      throw mismatch(owner, `must begin with its counters, got ${describe(head)}`);
    }
    const [iterations = 0, count = 0, ...steps] = await head.tensor.data<'int32'>();
    head.tensor.dispose();
    if (steps.length !== count) {
      throw mismatch(owner, `counts ${count} weights but has step counts of ${steps.length}`);
    }
    if (slots.length !== count * slotsPerWeight) {
      throw mismatch(
        owner,
        `must have ${slotsPerWeight} slots for each of its ${count} weights, got ${slots.length} slots`,
      );
    }
    if (onHost) {
      for (const [i, { name, tensor }] of slots.entries()) {
        if (tensor.dtype !== 'float32') continue; // a mismatch that is found below
        const values = await tensor.data<'float32'>();
        slots[i] = { name, tensor: tf.keep(tf.tensor(values.slice(), tensor.shape)) };
        tensor.dispose();
      }
    }
    const weights = steps.map((n, i) => {
      const own = slots.slice(i * slotsPerWeight, (i + 1) * slotsPerWeight);
      checkSlots(owner, own);
      const { name = '', tensor } = own[0] ?? {};
      const weightName = name.slice(0, name.lastIndexOf('/'));
      return { name: weightName, shape: tensor?.shape ?? [], steps: n, slots: own };
    });
    return { iterations, weights };
  } catch (error) {
    tf.dispose(copies.map(({ tensor }) => tensor));
    throw error;
  }
}

function checkSlots(owner: string, slots: readonly NamedTensor[]): void {
  const first = slots[0];
  for (const slot of slots) {
    if (slot.tensor.dtype !== 'float32')
      throw mismatch(owner, `got ${describe(slot)}, not float32`);
    if (first && !tf.util.arraysEqual(slot.tensor.shape, first.tensor.shape)) {
      throw mismatch(
        owner,
        `has slots of one weight in two shapes: ${describe(first)}, ${describe(slot)}`,
      );
    }
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
