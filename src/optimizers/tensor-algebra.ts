/**
 * Runs an update rule on any backend of TensorFlow.js, with as few temporaries as its ops allow: an
 * intermediate result is disposed by the op that uses it, and each assignment replaces the old value
 * before the next one begins.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Algebra } from './algebra.js';
import { clipGradient } from './clipping.js';
import type { WeightUpdate } from './weight-update.js';

export function updateWithTensors(update: WeightUpdate): void {
  const clipped = clipGradient(update.gradient, update.clip);
  if (clipped !== null && update.takesGradient) update.gradient.dispose();
  const gradient = clipped ?? update.gradient;
  try {
    for (const assignment of update.formula) {
      const target =
        assignment.target === 'weight' ? update.weight : update.slots.get(assignment.target);
      if (target === undefined) throw new Error(`The rule has no slot '${assignment.target}'.`);
      tf.tidy(() => target.assign(assignment.value(operandsOf(update, gradient), temporaries())));
    }
  } finally {
    if (clipped !== null || update.takesGradient) gradient.dispose();
  }
}

function operandsOf(update: WeightUpdate, gradient: tf.Tensor): Record<string, tf.Tensor> {
  const operands: Record<string, tf.Tensor> = { weight: update.weight, gradient };
  for (const [name, slot] of update.slots) operands[name] = slot;
  for (const [name, value] of Object.entries(update.scalars)) operands[name] = tf.scalar(value);
  return operands;
}

/** tfjs ops that dispose those of their operands which they made themselves. */
function temporaries(): Algebra<tf.Tensor> {
  const ours = new Set<tf.Tensor>();
  const after = (result: tf.Tensor, ...used: readonly tf.Tensor[]): tf.Tensor => {
    for (const operand of used) if (ours.delete(operand)) operand.dispose();
    ours.add(result);
    return result;
  };
  return {
    add: (a, b) => after(tf.add(a, b), a, b),
    sub: (a, b) => after(tf.sub(a, b), a, b),
    mul: (a, b) => after(tf.mul(a, b), a, b),
    div: (a, b) => after(tf.div(a, b), a, b),
    square: (a) => after(tf.square(a), a),
    sqrt: (a) => after(tf.sqrt(a), a),
    abs: (a) => after(tf.abs(a), a),
    sign: (a) => after(tf.sign(a), a),
  };
}
