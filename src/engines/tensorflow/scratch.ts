/** TensorFlow's ops on values that live for one calculation: all that it makes is freed with it. */
import type { TensorFlowBackend } from '../../tfjs/tensorflow-backend.js';
import type { Ops } from './ops.js';

/** TensorFlow's number for half precision, which the addon has no name for. */
export const TF_HALF = 19;

export class Scratch {
  readonly #backend: TensorFlowBackend;
  readonly #ops: Ops;
  readonly #made = new Set<number>();

  constructor(backend: TensorFlowBackend, ops: Ops) {
    this.#backend = backend;
    this.#ops = ops;
  }

  /** Of numbers, in float32: `op` knows no other attribute than their type. */
  float(op: string, ...inputs: readonly number[]): number {
    return this.#typed(op, { T: this.#backend.binding.TF_FLOAT }, inputs);
  }

  and(a: number, b: number): number {
    return this.#typed('BitwiseAnd', { T: this.#backend.binding.TF_INT32 }, [a, b]);
  }

  cast(tensor: number, from: number, to: number): number {
    return this.#typed('Cast', { SrcT: from, DstT: to }, [tensor]);
  }

  /** Two of half the size are one: the last dimension, of two, goes or comes. */
  bits(tensor: number, from: number, to: number): number {
    return this.#typed('Bitcast', { T: from, type: to }, [tensor]);
  }

  reshape(tensor: number, type: number, shape: readonly number[]): number {
    const { TF_INT32 } = this.#backend.binding;
    return this.#typed('Reshape', { T: type, Tshape: TF_INT32 }, [tensor, this.whole(shape)]);
  }

  /** Of one dimension. */
  slice(tensor: number, start: number, length: number): number {
    const { TF_FLOAT, TF_INT32 } = this.#backend.binding;
    const types = { T: TF_FLOAT, Index: TF_INT32 };
    return this.#typed('Slice', types, [tensor, this.whole([start]), this.whole([length])]);
  }

  /** With zeros behind. */
  pad(tensor: number, zeros: number): number {
    const { TF_FLOAT, TF_INT32 } = this.#backend.binding;
    const paddings = this.#keep(
      this.#backend.binding.createTensor([1, 2], TF_INT32, Int32Array.of(0, zeros)),
    );
    return this.#typed('Pad', { T: TF_FLOAT, Tpaddings: TF_INT32 }, [tensor, paddings]);
  }

  /** In [0, 1), the same for the same two whole numbers. */
  uniform(length: number, seed: readonly [number, number]): number {
    const { TF_FLOAT, TF_INT32 } = this.#backend.binding;
    const types = { dtype: TF_FLOAT, T: TF_INT32, Tseed: TF_INT32 };
    return this.#typed('StatelessRandomUniform', types, [this.whole([length]), this.whole(seed)]);
  }

  /** Whole numbers of 32 bits. */
  whole(values: readonly number[]): number {
    const { binding } = this.#backend;
    const all = Int32Array.from(values);
    return this.#keep(binding.createTensor([all.length], binding.TF_INT32, all));
  }

  scalar(value: number): number {
    return this.#keep(this.#ops.scalar(value));
  }

  /** Pairs of bytes. */
  pairs(bytes: Uint8Array): number {
    const { binding } = this.#backend;
    return this.#keep(binding.createTensor([bytes.length / 2, 2], binding.TF_UINT8, bytes));
  }

  /** Frees it before the end. */
  free(tensor: number): void {
    if (this.#made.delete(tensor)) this.#ops.free(tensor);
  }

  freeAll(): void {
    for (const tensor of this.#made) this.#ops.free(tensor);
    this.#made.clear();
  }

  #typed(op: string, types: Readonly<Record<string, number>>, inputs: readonly number[]): number {
    const type = this.#backend.binding.TF_ATTR_TYPE;
    const attributes = Object.entries(types).map(([name, value]) => ({ name, type, value }));
    return this.#keep(this.#ops.one(op, attributes, inputs));
  }

  #keep(tensor: number): number {
    this.#made.add(tensor);
    return tensor;
  }
}
