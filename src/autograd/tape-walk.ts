/**
 * A walk of a tape, backwards: from the gradient of one tensor to those of everything before it. It frees what
 * it can as it goes: what an op saved, and the gradients of its outputs, go with that op.
 *
 * It is not another way to differentiate. It runs the nodes in the order of `tf.variableGrads` and sums their
 * gradients in the same order by the same kernel, so that the results are equal to the bit.
 *
 * A gradient is complete when the walk has passed the first op of the forward pass that touches its tensor: no
 * earlier op can read the tensor or add to its gradient.
 */
import * as tf from '@tensorflow/tfjs-core';
import { type TapeNode, belongsToScope, freeSaved, inputsOf, sumOf } from '../tfjs/tape.js';

/** Tensors are named by their ids. */
export interface WalkHooks {
  /** The op that completes this gradient comes next. */
  prepare?(id: number): void;
  /** Owns `gradient`, which is complete. */
  complete(id: number, gradient: tf.Tensor): void;
  /** Takes one op's share of a gradient and returns true, or leaves it to be summed. */
  takeShare?(id: number, share: tf.Tensor): boolean;
  /** Runs the gradient function of `node`. */
  compute?<T>(node: TapeNode, run: () => T): T;
}

export class TapeWalk {
  /** Not walked yet. */
  readonly #nodes: TapeNode[];
  readonly #isRecorded: boolean;
  /** The first node that touches a tensor. */
  readonly #firstTouch = new Map<number, TapeNode>();
  /** Summed as far as the walk has come. One tensor each, which nothing else holds. */
  readonly #gradients = new Map<number, tf.Tensor>();

  /**
   * Owns what `nodes` saved.
   *
   * @param isRecorded The walk is itself on a tape, which needs what the nodes saved: frees none of it.
   */
  constructor(nodes: readonly TapeNode[], { isRecorded }: { readonly isRecorded: boolean }) {
    this.#nodes = [...nodes];
    this.#isRecorded = isRecorded;
    this.#noteTouches(nodes);
  }

  /** Once, in a scope that tracks its tensors. `gradient` is that of the tensor `id`; null: zero. */
  run(id: number, gradient: tf.Tensor | null, hooks: WalkHooks): void {
    try {
      if (gradient !== null) this.#gradients.set(id, gradient);
      if (!this.#firstTouch.has(id)) this.#complete(id, hooks);
      for (let node = this.#nodes.pop(); node !== undefined; node = this.#nodes.pop()) {
        if (node.recompute === undefined || this.#isRecorded) this.#pass(node, hooks);
        else this.#expand(node, node.recompute);
      }
    } finally {
      this.dispose();
    }
  }

  /** Frees what the walk holds. Idempotent. */
  dispose(): void {
    const left = this.#nodes.splice(0);
    if (!this.#isRecorded) freeSaved(left);
    this.#gradients.clear();
  }

  /** Puts the ops of a checkpointed block in the place of its node: they come next. */
  #expand(node: TapeNode, recompute: NonNullable<TapeNode['recompute']>): void {
    for (const id of touchedBy(node)) {
      if (this.#firstTouch.get(id) === node) this.#firstTouch.delete(id); // an op inside is the first
    }
    try {
      const ops = recompute(node.inputs);
      this.#noteTouches(ops);
      this.#nodes.push(...ops);
    } finally {
      freeSaved([node]);
    }
  }

  #noteTouches(nodes: readonly TapeNode[]): void {
    for (const node of nodes) {
      for (const id of touchedBy(node)) {
        if (!this.#firstTouch.has(id)) this.#firstTouch.set(id, node);
      }
    }
  }

  #pass(node: TapeNode, hooks: WalkHooks): void {
    const complete = touchedBy(node).filter((id) => this.#firstTouch.get(id) === node);
    const inputs = inputsOf(node);
    try {
      for (const id of complete) hooks.prepare?.(id);
      const dys = node.outputs.map(({ id }) => this.#gradients.get(id) ?? null);
      const run = () => inputGradients(node, inputs, dys);
      const dxs = hooks.compute === undefined ? run() : hooks.compute(node, run);
      for (const [i, [, { id }]] of inputs.entries()) {
        const dx = dxs[i];
        if (dx !== undefined && hooks.takeShare?.(id, dx) !== true) this.#add(id, dx);
      }
    } finally {
      if (!this.#isRecorded) freeSaved([node]);
    }
    for (const id of complete) this.#complete(id, hooks);
  }

  #add(id: number, dx: tf.Tensor): void {
    const sum = this.#gradients.get(id);
    if (sum === undefined) {
      this.#gradients.set(id, dx);
      return;
    }
    this.#gradients.set(id, sumOf(sum, dx));
    sum.dispose();
    dx.dispose();
  }

  #complete(id: number, hooks: WalkHooks): void {
    const gradient = this.#gradients.get(id);
    if (gradient === undefined) return;
    this.#gradients.delete(id);
    hooks.complete(id, gradient);
  }
}

/** One new tensor for each input, tracked by the open scope. */
function inputGradients(
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
      // An op may return `dy`, what it saved, a tensor of the caller's, or one tensor twice.
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
