/**
 * Runs an update rule on any backend of TensorFlow.js, with as few temporaries as its ops allow: the op that uses an
 * intermediate result disposes it, and each assignment replaces the old value before the next one begins.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Algebra } from './algebra.js';
import { clipGradient } from './clipping.js';
import { checkExactIntegers, dequantizeTensor, quantizeTensor } from './quantized-tensors.js';
import type { QuantizedState, WeightUpdate } from './weight-update.js';

export function updateWithTensors(update: WeightUpdate): void {
  const made = clipGradient(update.gradient, update.clip) ?? copyIfWritten(update);
  if (made !== null && update.takesGradient) update.gradient.dispose();
  const gradient = made ?? update.gradient;
  try {
    if (update.quantized === null) assignAll(update, update.state, gradient, update.tears);
    else assignQuantized(update, update.quantized, gradient);
  } finally {
    if (made !== null || update.takesGradient) gradient.dispose();
  }
}

/** A variable that is its own gradient would have its new values while the formula still reads the gradient. */
function copyIfWritten({ gradient, weight, state }: WeightUpdate): tf.Tensor | null {
  const isWritten = [weight, ...state.values()].some((variable) => variable === gradient);
  return isWritten ? tf.clone(gradient) : null;
}

/** Dequantizes the state for the time of the update; quantizes again what the formula assigned. */
function assignQuantized(
  update: WeightUpdate,
  quantized: QuantizedState,
  gradient: tf.Tensor,
): void {
  checkExactIntegers();
  const { weight, state, formula } = update;
  const values = new Map<string, tf.Variable>();
  const before = sameData(weight);
  let isDone = false;
  try {
    const rows = tf.tidy(() =>
      tf.split(quantized.scales, quantized.scales.shape[0] ?? 0, 0).map(tf.keep),
    );
    const named = [...state].map(([name, words], s) => ({
      name,
      words,
      kind: quantized.kinds.get(name) ?? 'signed',
      row: rows[s] as tf.Tensor,
    }));
    try {
      for (const { name, words, kind, row } of named) {
        const make = () => tf.variable(dequantizeTensor(kind, words, row, weight.shape), false);
        values.set(name, tf.tidy(make));
      }
      assignAll(update, values, gradient);
      tf.tidy(() => {
        const assigned = new Set(formula.map(({ target }) => target));
        const stored = named.map(({ name, words, kind, row }) => {
          const { words: next, scales } = assigned.has(name)
            ? quantizeTensor(kind, values.get(name) as tf.Variable, update.rounding)
            : { words, scales: row };
          return { words, next, scales };
        });
        const scales = tf.concat(
          stored.map((one) => one.scales),
          0,
        );
        // All memory is allocated, so that from here on nothing fails halfway.
        for (const { words, next } of stored) if (next !== words) words.assign(next);
        quantized.scales.assign(scales);
      });
      isDone = true;
    } finally {
      tf.dispose(rows);
    }
  } finally {
    if (!isDone) weight.assign(before);
    tf.dispose([before, ...values.values()]);
  }
}

/** `replaced` is called when a variable has a new value and others have not. */
function assignAll(
  update: WeightUpdate,
  state: ReadonlyMap<string, tf.Variable>,
  gradient: tf.Tensor,
  replaced?: () => void,
): void {
  for (const assignment of update.formula) {
    const target = assignment.target === 'weight' ? update.weight : state.get(assignment.target);
    if (target === undefined) throw new Error(`The rule has no state '${assignment.target}'.`);
    tf.tidy(() => {
      const operands = operandsOf(update, state, gradient);
      target.assign(assignment.value(operands, temporaries()));
    });
    replaced?.();
  }
}

/** A second holder of a variable's data. A clone would be a copy on wasm. */
function sameData(variable: tf.Variable): tf.Variable {
  return tf.variable(variable, false, `${variable.name}/before`);
}

function operandsOf(
  update: WeightUpdate,
  state: ReadonlyMap<string, tf.Variable>,
  gradient: tf.Tensor,
): Record<string, tf.Tensor> {
  const operands: Record<string, tf.Tensor> = { weight: update.weight, gradient };
  for (const [name, variable] of state) operands[name] = variable;
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
