/**
 * A backward pass that hands over the gradient of each weight as soon as it is complete, so that the weight can be
 * updated and the gradient freed before the pass goes on (`tape-walk.ts`).
 */
import * as tf from '@tensorflow/tfjs-core';
import { shown } from '../checks/check.js';
import { watchKernels } from '../tfjs/engine-state.js';
import { type TapeNode, freeSaved, inputsOf, nodesBetween, record } from '../tfjs/tape.js';
import { allVariables } from '../tfjs/variables.js';
import { TapeWalk } from './tape-walk.js';

export interface PassHooks {
  /** The op that completes this weight's gradient comes next. */
  prepare(weight: tf.Variable): void;
  /** Owns `gradient`; the pass reads neither it nor the weight any more. */
  release(weight: tf.Variable, gradient: tf.Tensor): void;
}

/** Runs `f`. Throws as `tf.variableGrads` does, and then nothing is left behind. */
export function recordPass(f: () => tf.Scalar, varList: tf.Variable[] | undefined): BackwardPass {
  const weights = trainable(varList);
  let nodes: TapeNode[] = [];
  const value = tf.tidy(() => {
    const recorded = record(f);
    try {
      nodes = nodesBetween(recorded.tape, weights, checkScalar(recorded.value));
      const reached = reachedBy(nodes, recorded.value);
      if (!weights.some(({ id }) => reached.has(id))) throw new Error(UNCONNECTED);
      checkGradients(nodes);
    } catch (error) {
      freeSaved(recorded.tape);
      throw error;
    }
    // Ops that no gradient passes through, as those of metrics and frozen branches.
    const needed = new Set(nodes.map(({ saved }) => saved));
    freeSaved(recorded.tape.filter(({ saved }) => !needed.has(saved)));
    return recorded.value;
  });
  return new BackwardPass(value, nodes, weights);
}

export class BackwardPass {
  /** The result of `f`; the caller's. */
  readonly value: tf.Scalar;
  /** Those that will get a gradient. */
  readonly weights: readonly tf.Variable[];
  readonly #weights: ReadonlyMap<number, tf.Variable>;
  readonly #walk: TapeWalk;
  readonly #changed = new Set<tf.Tensor>();

  constructor(value: tf.Scalar, nodes: readonly TapeNode[], candidates: readonly tf.Variable[]) {
    this.value = value;
    const reached = reachedBy(nodes, value);
    this.weights = candidates.filter(({ id }) => reached.has(id));
    this.#weights = new Map(this.weights.map((weight) => [weight.id, weight]));
    this.#walk = new TapeWalk(nodes, { isRecorded: false });
  }

  /** Once. Calls the hooks for each of `weights`. */
  run(hooks: PassHooks): void {
    const changed = this.#changed;
    tf.tidy('backward', () =>
      this.#walk.run(this.value.id, tf.ones(this.value.shape), {
        prepare: (id) => {
          const weight = this.#weights.get(id);
          if (weight !== undefined) hooks.prepare(weight);
        },
        complete: (id, gradient) => {
          const weight = this.#weights.get(id);
          if (weight === undefined) {
            gradient.dispose();
            return;
          }
          hooks.release(weight, gradient);
          changed.add(weight);
        },
        compute: (node, run) => watchReads(node, changed, run),
      }),
    );
  }

  /** Frees what the pass holds; `value` stays the caller's. Idempotent. */
  dispose(): void {
    this.#walk.dispose();
  }
}

function reachedBy(nodes: readonly TapeNode[], value: tf.Tensor): Set<number> {
  return new Set([value.id, ...nodes.flatMap((node) => inputsOf(node).map(([, { id }]) => id))]);
}

/**
 * The gradient function of a `tf.customGrad` can read a weight that is not among the op's inputs and so is not on
 * the tape. If that weight already has its new value, the numbers would be wrong.
 */
function watchReads<T>(node: TapeNode, changed: ReadonlySet<tf.Tensor>, run: () => T): T {
  if (changed.size === 0 || tf.getGradient(node.kernelName) != null) return run();
  return watchKernels((inputs) => {
    for (const input of inputs) if (changed.has(input)) throw new Error(readsChanged(input));
  }, run);
}

function readsChanged(weight: tf.Tensor): string {
  const name = weight instanceof tf.Variable ? weight.name : '';
  return (
    `The gradient of a tf.customGrad reads '${name}', which is not among the inputs of that op and already has ` +
    `its new value. Make it an input, or use gradients: 'keep'.`
  );
}

const UNCONNECTED =
  'Cannot find a connection between any variable and the result of the loss function y=f(x). Please ' +
  'make sure the operations that use variables are inside the function f passed to minimize().';

function trainable(varList: tf.Variable[] | undefined): tf.Variable[] {
  const all = varList ?? allVariables();
  const found = [...new Set(all.filter((variable) => variable.trainable))];
  if (found.length === 0) throw new Error(`None of the ${all.length} variables is trainable.`);
  return found;
}

function checkScalar(value: tf.Scalar): tf.Scalar {
  if (!(value instanceof tf.Tensor)) {
    throw new TypeError(`The loss must be a scalar tensor, got ${shown(value)}.`);
  }
  if (value.shape.length === 0) return value;
  throw new Error(
    `The f passed in variableGrads(f) must return a scalar, but it returned a rank-${(value as tf.Tensor).rank} tensor`,
  );
}

/** Before anything has changed. */
function checkGradients(nodes: readonly TapeNode[]): void {
  for (const { gradient, kernelName } of nodes) {
    if (gradient !== undefined) continue;
    throw new Error(`Cannot compute gradient: gradient function not found for ${kernelName}.`);
  }
}
