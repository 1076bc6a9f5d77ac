import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'vitest';

import { OptimizerState, type PendingState } from '#src/optimizers/state/optimizer-state.js';
import type { MomentPolicy } from '#src/optimizers/step-options.js';
import type { NamedTensor } from '#src/tfjs/named-tensor.js';
import { valuesOf } from '../../engines.js';

export const SPECS = [
  { name: 'm', initial: 0 },
  { name: 'v', initial: 0.5, neverNegative: true },
];
export const make = (moments: MomentPolicy = 'device:f32', specs = SPECS) =>
  new OptimizerState(specs, { momentsOf: () => moments });
export const weight = (name: string, size = 1) =>
  tf.tidy(() => tf.variable(tf.zeros([size]), true, name));

/** Saved state of one element: m is `value`, v is `value` + 100, after `value` steps. */
export function pending(name: string, value: number, size = 1): PendingState {
  const tensors = ['m', 'v'].map((slot, s): NamedTensor => {
    return { name: `${name}/${slot}`, tensor: tf.keep(tf.fill([size], value + 100 * s)) };
  });
  return { name, shape: [size], steps: value, tensors };
}
export const arrived = () => Promise.resolve();
export const load = async (
  state: OptimizerState,
  weights: PendingState[],
  others: string[] = [],
) => {
  const saved = { weights, others: others.map((name) => ({ name, shape: [1] })) };
  (await state.replace(saved, undefined, arrived)).commit();
};
/** [name, first m, first v, steps] of each weight. */
export const listed = (state: OptimizerState) => {
  const all = state.list();
  return state.weights.map((w) => [
    w.name,
    ...all.filter((one) => one.weight === w).map(({ variable }) => valuesOf(variable)[0]),
    state.of(w)?.steps,
  ]);
};
export const snapshot = async (state: OptimizerState) => {
  const { steps, tensors, others } = await state.snapshot();
  return {
    steps,
    tensors: tensors.map(({ name, tensor }) => [name, valuesOf(tensor)[0]]),
    others: others.map(({ name }) => name),
  };
};
export const mismatch = expect.objectContaining({ code: 'STATE_MISMATCH' });
