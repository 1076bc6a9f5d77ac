/**
 * Slow weights cross the bus as fp16, and TensorFlow blends them: half the bytes that floats take. On the CPU, where
 * there is no bus, it is slower than the host's own blend.
 *
 * A blend takes one weight more of device memory, and half of one while the halves are there. Rounding goes by parts.
 */
import * as tf from '@tensorflow/tfjs-core';
import { type Draw, drawBits } from '../../../workers/codecs/random-bits.js';
import { LARGEST_HALF } from '../../../workers/codecs/value-format.js';
import type { HalfTransfers } from '../../engine/device.js';
import {
  type Binding,
  ownDataOf,
  type TensorFlowData,
  type TensorFlowBackend,
} from '../../tfjs/tensorflow-backend.js';
import { Ops } from './ops.js';

/** TensorFlow's number for half precision, which the addon has no name for. */
const TF_HALF = 19;

const RESOURCES = { fast: 'slowlane/fast', slow: 'slowlane/slow' };

/** The bits of a float32's exponent. */
const EXPONENT = 0x7f80_0000;
/** From a power of two to the distance between fp16's values there, of 11 bits. */
const LAST_PLACE = 2 ** -10;
/** The distance from 2⁻¹⁴ down to 0. */
const LEAST_PLACE = 2 ** -24;

/** Moves slow weights of fp16 as halves; null if this TensorFlow lacks the ops. */
export function halfTransfers(backend: TensorFlowBackend): HalfTransfers | null {
  try {
    const halves = new Halves(backend);
    return works(halves) ? halves : null;
  } catch {
    return null;
  }
}

class Halves implements HalfTransfers {
  readonly #backend: TensorFlowBackend;
  readonly #ops: Ops;
  readonly #fast: number;
  readonly #slow: number;

  constructor(backend: TensorFlowBackend) {
    this.#backend = backend;
    this.#ops = new Ops(backend);
    this.#fast = this.#ops.resource(RESOURCES.fast);
    this.#slow = this.#ops.resource(RESOURCES.slow);
  }

  blend(variable: tf.Variable, slow: Uint16Array, stepSize: number): void {
    if (stepSize === 1 || variable.size === 0) return;
    const { TF_FLOAT, TF_UINT8 } = this.#backend.binding;
    this.#calculate((run) => {
      const data = ownDataOf(this.#backend, variable);
      const values = new Uint8Array(slow.buffer, slow.byteOffset, slow.byteLength);
      const bytes = run.tensor([slow.length, 2], TF_UINT8, values);
      const halves = run.bits(bytes, TF_UINT8, TF_HALF);
      run.free(bytes);
      const flat = run.cast(halves, TF_HALF, TF_FLOAT);
      run.free(halves);
      const floats = run.reshape(flat, TF_FLOAT, variable.shape);
      run.free(flat);
      const negative = run.scalar(-stepSize);
      this.#ops.assign(this.#slow, floats);
      run.free(floats);
      try {
        // In the memory of the fast weights: fast − slow.
        this.#change(data, 'AssignSubVariableOp');
        try {
          // In the memory of the slow ones: slow + α (fast − slow), from now on the fast weights.
          this.#ops.apply('ResourceApplyGradientDescent', {}, [this.#slow, negative, data.id]);
        } catch (error) {
          this.#change(data, 'AssignAddVariableOp'); // fast again, up to rounding: it may be repeated
          throw error;
        }
        this.#ops.free(data.id);
        data.id = this.#ops.read(this.#slow);
      } finally {
        this.#ops.release(this.#slow);
      }
    });
  }

  /** Puts the slow weights into the fast ones by `op`, in the memory of these. */
  #change(data: TensorFlowData, op: string): void {
    const slow = this.#ops.read(this.#slow);
    try {
      this.#ops.assign(this.#fast, data.id);
      this.#ops.free(data.id);
      data.id = -1;
      try {
        this.#ops.applyTo(this.#fast, op, [slow]);
      } finally {
        data.id = this.#ops.read(this.#fast);
        this.#ops.release(this.#fast);
      }
    } finally {
      this.#ops.free(slow);
    }
  }

  pull(tensor: tf.Tensor, start: number, into: Uint16Array, draw: Draw): void {
    const { binding } = this.#backend;
    const { length } = into;
    if (length === 0) return;
    const { TF_FLOAT: float, TF_INT32: int, TF_BOOL: bool } = binding;
    this.#calculate((run) => {
      const [id = -1] = this.#backend.getInputTensorIds([tensor]);
      const math = (op: string, ...inputs: readonly number[]) =>
        run.op(op, { T: float }, ...inputs);
      const flat = run.reshape(id, float, [-1]);
      const types = { T: float, Index: int };
      const x = run.op('Slice', types, flat, run.whole([start]), run.whole([length]));
      // The power of two below |x|, from the exponent's bits.
      const bits = run.bits(x, float, int);
      const exponent = run.op('BitwiseAnd', { T: int }, bits, run.whole([EXPONENT]));
      const power = run.bits(exponent, int, float);
      const scaled = math('Mul', power, run.scalar(LAST_PLACE));
      const place = math('Maximum', scaled, run.scalar(LEAST_PLACE));
      const places = math('RealDiv', x, place); // by a power of two: exact
      const below = math('Floor', places);
      const rest = math('Sub', places, below);
      // In [0, 1), the same for the same two whole numbers.
      const random = { dtype: float, T: int, Tseed: int };
      const seed = run.whole(seedOf(start, draw));
      const drawn = run.op('StatelessRandomUniform', random, run.whole([length]), seed);
      const up = run.cast(math('Less', drawn, rest), bool, float);
      const rounded = math('Mul', math('AddV2', below, up), place);
      const capped = math('Minimum', rounded, run.scalar(LARGEST_HALF));
      const within = math('Maximum', capped, run.scalar(-LARGEST_HALF));
      // The addon reads no halves: two of them are the bits of a float.
      const zero = run.tensor([1, 2], int, Int32Array.of(0, 1));
      const padding = { T: float, Tpaddings: int };
      const even = length % 2 === 0 ? within : run.op('Pad', padding, within, zero);
      const halves = run.cast(even, float, TF_HALF);
      const pairs = run.reshape(halves, TF_HALF, [Math.ceil(length / 2), 2]);
      const { buffer } = binding.tensorDataSync(run.bits(pairs, TF_HALF, float));
      into.set(new Uint16Array(buffer, 0, length));
    });
  }

  #calculate(work: (run: Scratch) => void): void {
    const run = new Scratch(this.#backend, this.#ops);
    try {
      work(run);
    } finally {
      run.freeAll();
    }
  }
}

function seedOf(start: number, draw: Draw): [number, number] {
  const bits = new Uint32Array(4);
  drawBits(start, draw, bits);
  const [a = 0, b = 0] = bits;
  return [a | 0, b | 0];
}

/** Whether ½ of the way from 1 to 3 is 2, and comes back as fp16's 2; an odd size, and a value between two others. */
function works(halves: HalfTransfers): boolean {
  const weight = tf.tidy(() => tf.variable(tf.tensor1d([3, -7, 1 + 2 ** -12]), false));
  try {
    halves.blend(weight, Uint16Array.of(0x3c00, 0xc200, 0x3c00), 0.5); // 1, −3, 1
    const [a, b, c] = weight.dataSync();
    const back = new Uint16Array(3);
    halves.pull(weight, 0, back, { item: 0, round: 0 });
    const isRounded = back[2] === 0x3c00 || back[2] === 0x3c01;
    const isBlended = a === 2 && b === -5 && c === 1 + 2 ** -13;
    return isBlended && back[0] === 0x4000 && back[1] === 0xc500 && isRounded;
  } finally {
    weight.dispose();
  }
}

/** TensorFlow's ops on values that live for one calculation: all that it makes is freed with it. */
class Scratch {
  readonly #backend: TensorFlowBackend;
  readonly #ops: Ops;
  readonly #made = new Set<number>();

  constructor(backend: TensorFlowBackend, ops: Ops) {
    this.#backend = backend;
    this.#ops = ops;
  }

  cast(tensor: number, from: number, to: number): number {
    return this.op('Cast', { SrcT: from, DstT: to }, tensor);
  }

  /** Two of half the size are one: the last dimension, of two, goes or comes. */
  bits(tensor: number, from: number, to: number): number {
    return this.op('Bitcast', { T: from, type: to }, tensor);
  }

  reshape(tensor: number, type: number, shape: readonly number[]): number {
    const types = { T: type, Tshape: this.#backend.binding.TF_INT32 };
    return this.op('Reshape', types, tensor, this.whole(shape));
  }

  /** Whole numbers of 32 bits. */
  whole(values: readonly number[]): number {
    return this.tensor([values.length], this.#backend.binding.TF_INT32, Int32Array.from(values));
  }

  scalar(value: number): number {
    return this.tensor([], this.#backend.binding.TF_FLOAT, Float32Array.of(value));
  }

  tensor(...given: Parameters<Binding['createTensor']>): number {
    return this.#keep(this.#backend.binding.createTensor(...given));
  }

  /** Frees it before the end. */
  free(tensor: number): void {
    if (this.#made.delete(tensor)) this.#ops.free(tensor);
  }

  freeAll(): void {
    for (const tensor of this.#made) this.#ops.free(tensor);
    this.#made.clear();
  }

  /** An op whose attributes are `types`. */
  op(name: string, types: Readonly<Record<string, number>>, ...inputs: readonly number[]): number {
    const type = this.#backend.binding.TF_ATTR_TYPE;
    const attributes = Object.entries(types).map(([key, value]) => ({ name: key, type, value }));
    return this.#keep(this.#ops.one(name, attributes, inputs));
  }

  #keep(tensor: number): number {
    this.#made.add(tensor);
    return tensor;
  }
}
