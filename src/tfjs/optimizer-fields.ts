// The private fields of TensorFlow.js's own optimizers that nothing public sets or frees (tfjs-core 4.22,
// `optimizers/*.js`): the step count, the state, the powers of Adam's betas, and a tensor that Momentum leaks.

import * as tf from '@tensorflow/tfjs-core';

import { SlowlaneError } from '../checks/errors.js';
import type { NamedTensor } from './named-tensor.js';

interface Fields {
  iterations_?: number;
  /** Adam: β₁ᵗ⁺¹ and β₂ᵗ⁺¹ after t steps. */
  readonly accBeta1?: unknown;
  readonly accBeta2?: unknown;
  readonly beta1?: unknown;
  readonly beta2?: unknown;
  /** Momentum: −γ as a tensor. */
  readonly c?: unknown;
  learningRate?: unknown;
  /** SGD and Momentum: their steps read a tensor, which only this method replaces. */
  setLearningRate?: unknown;
}

function fieldsOf(optimizer: tf.Optimizer): Fields {
  return optimizer as unknown as Fields;
}

/** By class name: `instanceof` takes every optimizer for every class, because tf.Optimizer overrides it. */
const USED: Readonly<Record<string, readonly (keyof Fields)[]>> = {
  Adam: ['accBeta1', 'accBeta2', 'beta1', 'beta2'],
  Momentum: ['c'],
};

/** @throws SlowlaneError UNSUPPORTED unless the fields of `optimizer` are as this file knows them. */
export function checkOptimizerFields(optimizer: tf.Optimizer): void {
  const name = optimizer.getClassName();
  const missing = (USED[name] ?? []).filter((field) => !(field in optimizer));
  if (missing.length === 0) return;
  throw new SlowlaneError(
    'UNSUPPORTED',
    `slowlane needs the ${name} of TensorFlow.js 4.22; this is ${tf.version_core}, whose ${name} has no ` +
      `${missing.join(', ')}. Install @tensorflow/tfjs-core@4.22, or use one of slowlane's own optimizers.`,
    { missing },
  );
}

/** The learning rate; undefined if there is none by that name. */
export function rateOf(optimizer: tf.Optimizer): unknown {
  return fieldsOf(optimizer).learningRate;
}

/** Sets the learning rate of the next step. False, and nothing has changed, if `optimizer` has none that it keeps. */
export function setRate(optimizer: tf.Optimizer, rate: number): boolean {
  const fields = fieldsOf(optimizer);
  if (typeof fields.setLearningRate === 'function') fields.setLearningRate(rate);
  else if ('learningRate' in fields) fields.learningRate = rate;
  return fields.learningRate === rate;
}

/** By class name: the lists of state, in the order in which `getWeights` gives them. */
const STATE: Readonly<Record<string, readonly string[]>> = {
  SGD: [],
  Momentum: ['accumulations'],
  Adagrad: ['accumulatedGrads'],
  Adadelta: ['accumulatedGrads', 'accumulatedUpdates'],
  Adam: ['accumulatedFirstMoment', 'accumulatedSecondMoment'],
  RMSProp: ['accumulatedMeanSquares', 'accumulatedMoments', 'accumulatedMeanGrads'],
};

interface StateEntry {
  readonly originalName: string;
  readonly variable: tf.Variable;
}

/** What `getWeights` gives after the step count, at once. null: of a class that is not known here. */
export function stateOf(optimizer: tf.Optimizer): NamedTensor[] | null {
  const fields = STATE[optimizer.getClassName()];
  if (fields === undefined) return null;
  const lists = fields.map((field) => (optimizer as unknown as Record<string, unknown>)[field]);
  if (!lists.every((list) => Array.isArray(list))) return null;
  const entries = (lists as StateEntry[][]).flat();
  return entries.map(({ originalName, variable }) => ({ name: originalName, tensor: variable }));
}

/** Sets the step count alone. */
export function setIterations(optimizer: tf.Optimizer, iterations: number): void {
  fieldsOf(optimizer).iterations_ = iterations;
}

/**
 * Sets Adam's βᵗ⁺¹ to what training gives after t = `steps` steps. TensorFlow.js restores them by pow(), which differs
 * in the last bit.
 */
export function setBetaPowers(optimizer: tf.Optimizer, steps: number): void {
  const { accBeta1, accBeta2, beta1, beta2 } = fieldsOf(optimizer);
  multiplyUp(accBeta1, beta1, steps);
  multiplyUp(accBeta2, beta2, steps);
}

/** Disposes `optimizer`, and what its own dispose() leaks. */
export function disposeOptimizer(optimizer: tf.Optimizer): void {
  optimizer.dispose();
  const { c } = fieldsOf(optimizer);
  if (optimizer.getClassName() === 'Momentum' && c instanceof tf.Tensor) c.dispose();
}

/** Beyond so many steps, which take 20 ms, the last bit of a power that is 0 by then, or nearly 1, is given up. */
const MOST_PRODUCTS = 2 ** 22;

/** Sets βᵗ⁺¹ after t steps, rounded to float32 after each as in training. */
function multiplyUp(power: unknown, beta: unknown, steps: number): void {
  if (!(power instanceof tf.Variable) || typeof beta !== 'number') return;
  const factor = Math.fround(beta);
  let value = factor;
  const products = Math.min(steps, MOST_PRODUCTS);
  let isConstant = false;
  for (let t = 0; t < products && !isConstant; t++) {
    const next = Math.fround(value * factor);
    isConstant = next === value; // 0, or the least number, which rounding keeps
    value = next;
  }
  if (steps > products && !isConstant) value = Math.fround(value * factor ** (steps - products));
  tf.tidy(() => power.assign(tf.scalar(value)));
}
