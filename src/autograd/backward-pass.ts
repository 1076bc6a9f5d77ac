/**
 * A backward pass that lets go of everything as soon as it is used: what an op saved for its gradient
 * and the gradients of its outputs with that op, the gradient of a weight with that weight's update.
 *
 * Not another way to differentiate: the same nodes in the same order, their gradients summed in the same
 * order by the same kernel as in `tf.variableGrads`, so that the results are equal to the bit.
 *
 * A gradient is complete, and a weight may change, when the walk has passed the first op of the forward
 * pass that touches it: no op before that one can read it or add to its gradient.
 */
import * as tf from '@tensorflow/tfjs-core';
import { SlowlaneError } from '../checks/errors.js';
import { shown } from '../checks/check.js';
import {
  type TapeNode,
  belongsToScope,
  freeSaved,
  inputsOf,
  nodesBetween,
  record,
} from '../tfjs/tape.js';

export interface PassHooks {
  /** The op that completes this weight's gradient comes next. */
  prepare(weight: tf.Variable): void;
  /** Owns `gradient`, which nothing of the pass reads any more. */
  release(weight: tf.Variable, gradient: tf.Tensor): void;
}

/** Runs `f`. Throws as `tf.variableGrads` does, and then nothing is left behind. */
export function recordPass(f: () => tf.Scalar, varList: tf.Variable[] | undefined): BackwardPass {
  const weights = trainable(f, varList);
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
    // Metrics, frozen branches: ops that no gradient comes through.
    const needed = new Set(nodes.map(({ saved }) => saved));
    freeSaved(recorded.tape.filter(({ saved }) => !needed.has(saved)));
    return recorded.value;
  });
  return new BackwardPass(value, nodes, weights);
}

export class BackwardPass {
  /** What `f` gave; the caller's. */
  readonly value: tf.Scalar;
  /** Those that will get a gradient. */
  readonly weights: readonly tf.Variable[];
  /** Not walked yet. */
  readonly #nodes: TapeNode[];
  /** By the id of a tensor: the first node that touches it. */
  readonly #firstTouch = new Map<number, TapeNode>();
  readonly #weights: ReadonlyMap<number, tf.Variable>;
  /** By the id of a tensor, summed as far as the walk has come. One tensor each, that nothing else holds. */
  readonly #gradients = new Map<number, tf.Tensor>();
  readonly #changed = new Set<tf.Tensor>();

  constructor(value: tf.Scalar, nodes: TapeNode[], candidates: readonly tf.Variable[]) {
    this.value = value;
    this.#nodes = nodes;
    const reached = reachedBy(nodes, value);
    this.weights = candidates.filter(({ id }) => reached.has(id));
    this.#weights = new Map(this.weights.map((weight) => [weight.id, weight]));
    for (const node of nodes) {
      for (const id of touchedBy(node))
        if (!this.#firstTouch.has(id)) this.#firstTouch.set(id, node);
    }
  }

  /** Once. Calls the hooks for each of `weights`. */
  run(hooks: PassHooks): void {
    try {
      tf.tidy('backward', () => {
        this.#gradients.set(this.value.id, tf.ones(this.value.shape));
        if (!this.#firstTouch.has(this.value.id)) this.#finish(this.value.id, hooks);
        for (let node = this.#nodes.pop(); node !== undefined; node = this.#nodes.pop()) {
          if (node.recompute !== undefined) {
            this.#expand(node);
            continue;
          }
          const complete = touchedBy(node).filter((id) => this.#firstTouch.get(id) === node);
          this.#walk(node, () => complete.forEach((id) => this.#prepare(id, hooks)));
          for (const id of complete) this.#finish(id, hooks);
        }
      });
    } catch (cause) {
      if (this.#changed.size === 0) throw cause;
      throw halfDone({ changed: this.#changed.size, of: this.weights.length }, cause);
    } finally {
      this.dispose();
    }
  }

  /** Frees what the pass holds; `value` stays the caller's. Idempotent. */
  dispose(): void {
    freeSaved(this.#nodes.splice(0));
    this.#gradients.clear();
  }

  /** Puts the ops of a checkpointed block in the place of its node: they come next. */
  #expand(node: TapeNode): void {
    for (const id of touchedBy(node)) {
      if (this.#firstTouch.get(id) === node) this.#firstTouch.delete(id); // an op inside is the first
    }
    const ops = recomputed(node);
    for (const op of ops) {
      for (const id of touchedBy(op)) if (!this.#firstTouch.has(id)) this.#firstTouch.set(id, op);
    }
    this.#nodes.push(...ops);
  }

  #prepare(id: number, hooks: PassHooks): void {
    const weight = this.#weights.get(id);
    if (weight !== undefined) hooks.prepare(weight);
  }

  #walk(node: TapeNode, prepare: () => void): void {
    const inputs = inputsOf(node);
    try {
      prepare();
      const dys = node.outputs.map(({ id }) => this.#gradients.get(id) ?? null);
      const dxs = watchReads(node, this.#changed, () => inputGradients(node, inputs, dys));
      for (const [i, [, { id }]] of inputs.entries()) {
        const dx = dxs[i];
        if (dx !== undefined) this.#add(id, dx);
      }
    } finally {
      freeSaved([node]);
    }
  }

  #add(id: number, dx: tf.Tensor): void {
    const sum = this.#gradients.get(id);
    if (sum === undefined) {
      this.#gradients.set(id, dx);
      return;
    }
    this.#gradients.set(id, tf.engine().runKernel<tf.Tensor>(tf.Add, { a: sum, b: dx }));
    sum.dispose();
    dx.dispose();
  }

  #finish(id: number, hooks: PassHooks): void {
    const gradient = this.#gradients.get(id);
    if (gradient === undefined) return;
    this.#gradients.delete(id);
    const weight = this.#weights.get(id);
    if (weight === undefined) {
      gradient.dispose();
      return;
    }
    hooks.release(weight, gradient);
    this.#changed.add(weight);
  }
}

/** The ops of a checkpointed block; what its node saved is freed. */
export function recomputed(node: TapeNode): TapeNode[] {
  try {
    return node.recompute?.(node.inputs) ?? [];
  } finally {
    freeSaved([node]);
  }
}

/** One new tensor an input, tracked by the scope that is open. */
export function inputGradients(
  node: TapeNode,
  inputs: readonly (readonly [name: string, tensor: tf.Tensor])[],
  dys: (tf.Tensor | null)[],
): tf.Tensor[] {
  return tf.tidy(() => {
    const gradients = node.gradient?.(dys) ?? {};
    const taken = new Set<tf.Tensor>();
    return inputs.map(([name, input]) => {
      const make = gradients[name];
      if (make === undefined) {
        throw new Error(
          `Cannot backprop through input ${name}. Available gradients found: ${Object.keys(gradients).join()}.`,
        );
      }
      const dx = tf.tidy(make);
      checkInputGradient(node, name, input, dx);
      // An op may hand `dy` on, what it saved, a tensor of the caller's, or one tensor twice.
      const isOwn = belongsToScope(dx) && !taken.has(dx);
      taken.add(dx);
      return isOwn ? dx : tf.clone(dx);
    });
  });
}

/** Outputs first: they may share data with an input's gradient, which is better not shared when it is used. */
function touchedBy(node: TapeNode): number[] {
  return [...node.outputs, ...inputsOf(node).map(([, tensor]) => tensor)].map(({ id }) => id);
}

function reachedBy(nodes: readonly TapeNode[], value: tf.Tensor): Set<number> {
  return new Set([value.id, ...nodes.flatMap((node) => inputsOf(node).map(([, { id }]) => id))]);
}

/**
 * A gradient given to `tf.customGrad` can read a weight which is not among the op's inputs, so that the
 * tape does not know of it. If that weight has its new value by then, the numbers would be wrong.
 */
function watchReads<T>(node: TapeNode, changed: ReadonlySet<tf.Tensor>, run: () => T): T {
  if (changed.size === 0 || tf.getGradient(node.kernelName) != null) return run();
  const engine = tf.engine();
  const before = Object.getOwnPropertyDescriptor(engine, 'runKernel');
  const runKernel = engine.runKernel.bind(engine);
  const watched: typeof runKernel = (name, inputs, attrs) => {
    for (const input of Object.values(inputs)) {
      if (changed.has(input)) throw new Error(readsChanged(input));
    }
    return runKernel(name, inputs, attrs);
  };
  Object.defineProperty(engine, 'runKernel', { value: watched, configurable: true });
  try {
    return run();
  } finally {
    if (before === undefined) Reflect.deleteProperty(engine, 'runKernel');
    else Object.defineProperty(engine, 'runKernel', before);
  }
}

function readsChanged(weight: tf.Tensor): string {
  const name = weight instanceof tf.Variable ? weight.name : '';
  return (
    `The gradient of a tf.customGrad reads '${name}', which is not among the inputs of that op and has ` +
    `its new value already. Make it an input, or use gradients: 'keep'.`
  );
}

/** An error with a code of its own stays itself: a program that waits for it has to be told the rest too. */
function halfDone(done: { changed: number; of: number }, cause: unknown): SlowlaneError {
  const message = cause instanceof Error ? cause.message : String(cause);
  const half =
    `The backward pass failed when ${done.changed} of ${done.of} weights had been updated (gradients: ` +
    `'release'); the others are as they were. Go back with discard() of a Lookahead or to a saved state, or ` +
    `go on if a step of some weights does no harm.`;
  if (!(cause instanceof SlowlaneError)) {
    return new SlowlaneError('STEP_FAILED', `${half} ${message}`, done, { cause });
  }
  cause.message = `${message} ${half}`;
  Object.assign(cause.details, done);
  return cause;
}

const UNCONNECTED =
  'Cannot find a connection between any variable and the result of the loss function y=f(x). Please ' +
  'make sure the operations that use variables are inside the function f passed to minimize().';

function trainable(f: unknown, varList: tf.Variable[] | undefined): tf.Variable[] {
  if (typeof f !== 'function') throw new TypeError(`f must be a function, got ${shown(f)}.`);
  const all = varList ?? Object.values(tf.engine().registeredVariables);
  if (!Array.isArray(all) || !all.every((variable) => variable instanceof tf.Variable)) {
    throw new TypeError(`varList must be a list of variables, got ${shown(varList)}.`);
  }
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

function checkInputGradient(node: TapeNode, name: string, input: tf.Tensor, dx: tf.Tensor): void {
  const which = `Error in gradient for op ${node.kernelName}. The gradient of input '${name}'`;
  if (dx.dtype !== 'float32') {
    throw new Error(`${which} must have 'float32' dtype, but has '${dx.dtype}'`);
  }
  if (!tf.util.arraysEqual(dx.shape, input.shape)) {
    throw new Error(
      `${which} has shape '${dx.shape.join()}', which does not match the shape of the input '${input.shape.join()}'`,
    );
  }
}
