/**
 * Updates weights in place with TensorFlow's own fused ops: one op a weight, no temporaries.
 *
 * Those ops write resources, and tfjs's variables are tensors. So a weight and its state are lent to resources for the
 * time of an update: the resource takes hold of the memory, the tensor lets go of it, the op writes it, and a new
 * tensor over the same memory takes its place. TensorFlow counts who holds a piece of memory and copies first what
 * somebody else holds too: a view, a clone, an array of the program that it reads in place.
 */
import * as tf from '@tensorflow/tfjs-core';
import { clipGradient } from '../../formula/clipping.js';
import { updateWithTensors } from '../../formula/tensor-algebra.js';
import type { Updater, WeightUpdate } from '../../formula/weight-update.js';
import {
  ownDataOf,
  type TensorFlowData,
  type TensorFlowBackend,
} from '../../tfjs/tensorflow-backend.js';
import { type FusedRule, fusedRuleOf } from './fused-rules.js';
import { Ops } from './ops.js';

/** A weight and at most two tensors of state. */
const RESOURCES = ['slowlane/0', 'slowlane/1', 'slowlane/2'];

/** All numbers of a step, for weights that are at different steps too. */
const NUMBERS_KEPT = 64;

/**
 * Updates weights on `backend` by TensorFlow's fused ops; a rule that has none runs as tensor operations. Null if this
 * TensorFlow lacks those ops.
 */
export function inPlaceUpdates(backend: TensorFlowBackend): Updater | null {
  try {
    const updates = new InPlaceUpdates(backend);
    return updates.works() ? (update) => updates.run(update) : null;
  } catch {
    return null;
  }
}

interface Borrowed {
  readonly name: string;
  readonly data: TensorFlowData;
  readonly resource: number;
  /** The resource has memory of its own, for a change that is added to `data` afterwards. */
  readonly isChange: boolean;
}

interface Operands {
  readonly named: ReadonlyMap<string, tf.Variable>;
  readonly gradient: tf.Tensor;
  /** The share that the weight loses beside what the op takes. */
  readonly decay: { readonly share: number; readonly tears: WeightUpdate['tears'] } | null;
}

class InPlaceUpdates {
  readonly #backend: TensorFlowBackend;
  readonly #ops: Ops;
  readonly #resources: readonly number[];
  /** Scalars on the device: the weights of a step share them. */
  readonly #numbers = new Map<number, number>();

  constructor(backend: TensorFlowBackend) {
    this.#backend = backend;
    this.#ops = new Ops(backend);
    this.#resources = RESOURCES.map((name) => this.#ops.resource(name));
  }

  run(update: WeightUpdate): void {
    const rule = fusedRuleOf(update.rule);
    const isPlain = update.quantized === null && update.gradient.dtype === 'float32';
    if (rule === null || !isPlain || update.weight.size === 0) {
      updateWithTensors(update);
      return;
    }
    const { weight, state, takesGradient } = update;
    const clipped = clipGradient(update.gradient, update.clip);
    if (clipped !== null && takesGradient) update.gradient.dispose();
    const gradient = clipped ?? update.gradient;
    const named = new Map<string, tf.Variable>([['weight', weight], ...state]);
    // One that is the weight itself would lose its memory with it.
    const isWritten = [...named.values()].some(({ dataId }) => dataId === gradient.dataId);
    const read = isWritten ? tf.reshape(gradient, gradient.shape) : gradient;
    try {
      if (this.#numbers.size > NUMBERS_KEPT) this.#forgetNumbers();
      const { scalars, tears } = update;
      const share = rule.decayShare?.(scalars);
      const decay = share === undefined ? null : { share, tears };
      this.#apply(rule, rule.inputs(scalars), { named, gradient: read, decay });
    } finally {
      if (isWritten) read.dispose();
      if (clipped !== null || takesGradient) gradient.dispose();
    }
  }

  /** True if w ← w − 2 g gives the right numbers. */
  works(): boolean {
    const weight = tf.tidy(() => tf.variable(tf.tensor1d([1, 2]), false));
    const gradient = tf.tensor1d([10, 20]);
    try {
      const inputs = ['weight', 2, 'gradient'];
      const rule = { op: 'ResourceApplyGradientDescent', flags: {}, inputs: () => inputs };
      const named = new Map([['weight', weight]]);
      this.#apply(rule, inputs, { named, gradient, decay: null });
      const [a, b] = weight.dataSync();
      return a === -19 && b === -38;
    } finally {
      tf.dispose([weight, gradient]);
    }
  }

  #apply(
    rule: FusedRule,
    inputs: ReturnType<FusedRule['inputs']>,
    { named, gradient, decay }: Operands,
  ): void {
    const written = [...named].map(
      ([name, variable]) => [name, ownDataOf(this.#backend, variable)] as const,
    );
    const [gradientId = -1] = this.#backend.getInputTensorIds([gradient]);
    const numbers = inputs.map((input) => (typeof input === 'number' ? this.#number(input) : -1));
    const share = decay === null ? null : this.#number(-decay.share);
    const borrowed: Borrowed[] = [];
    let isDone = false;
    try {
      for (const [i, [name, data]] of written.entries()) {
        const resource = this.#resources[i];
        if (resource === undefined) throw new Error(`${rule.op} writes too many tensors.`);
        borrowed.push(this.#borrow(name, data, resource, name === 'weight' ? share : null));
      }
      const ids = inputs.map((input, i) => {
        if (typeof input === 'number') return numbers[i] ?? -1;
        return borrowed.find(({ name }) => name === input)?.resource ?? gradientId;
      });
      this.#ops.apply(rule.op, rule.flags, ids);
      isDone = true;
      decay?.tears?.(); // the weight follows, in giveBack
    } finally {
      // Also if the op failed: then the tensors get their memory back unchanged. The weight, which may fail, is last.
      for (const each of borrowed.toReversed()) this.#giveBack(each, isDone);
    }
  }

  /**
   * Afterwards the memory of `data` is the resource's alone; or, with a `share`, the resource has memory of its own: that
   * share of the values, to which the op adds its change.
   */
  #borrow(name: string, data: TensorFlowData, resource: number, share: number | null): Borrowed {
    const { id } = data;
    if (share === null) {
      this.#ops.assign(resource, id);
      this.#ops.free(id);
      data.id = -1;
      return { name, data, resource, isChange: false };
    }
    const product = this.#ops.product(id, share);
    this.#ops.assign(resource, product);
    this.#ops.free(product);
    return { name, data, resource, isChange: true };
  }

  #giveBack({ data, resource, isChange }: Borrowed, isDone: boolean): void {
    if (!isChange) data.id = this.#ops.read(resource);
    else if (isDone) this.#addChange(data, resource);
    this.#ops.release(resource);
  }

  /** Adds what the resource holds to `data`, in the memory of `data`. */
  #addChange(data: TensorFlowData, resource: number): void {
    const change = this.#ops.read(resource);
    this.#ops.assign(resource, data.id);
    this.#ops.free(data.id);
    try {
      this.#ops.applyTo(resource, 'AssignAddVariableOp', [change]);
    } finally {
      data.id = this.#ops.read(resource);
      this.#ops.free(change);
    }
  }

  #number(value: number): number {
    let id = this.#numbers.get(value);
    if (id === undefined) this.#numbers.set(value, (id = this.#ops.scalar(value)));
    return id;
  }

  #forgetNumbers(): void {
    for (const id of this.#numbers.values()) this.#ops.free(id);
    this.#numbers.clear();
  }
}
