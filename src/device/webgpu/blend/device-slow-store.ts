// Slow weights that wait on the host, packed, and are blended by the device.
//
// A sync is queue work: for each piece copy up → blend and pack in place → copy down, through a few staging
// buffers. Afterwards, while training goes on, each piece is brought round on the host: from the
// buffer that came down to the one that goes up (`turn-around`). Nothing needs slow weights meanwhile but
// the next sync, a save or a restore, which wait for it.
//
// The upload buffers keep the slow weights of before until the device is known not to have failed.

import * as tf from '@tensorflow/tfjs-core';

import { SlowlaneError } from '../../../errors.js';
import { type SlowFormat, valueFormat } from '../../../policy/slow-format.js';
import { fitsHalf, fromHalf, LARGEST_HALF, toHalf } from '../../../slow/half.js';
import { layOutPacked, type PackedPart } from '../../../slow/packed-layout.js';
import type {
  BlendOptions,
  Blending,
  SlowPart,
  SlowStore,
  Storable,
  StoreBytes,
} from '../../../slow/slow-store.js';
import { registerStoreFactory, type StoreOptions } from '../../../slow/store-factory.js';
import { LargestMagnitudes } from './largest.js';
import type { LeanBackend } from '../lean-backend.js';
import { Piece } from './piece.js';
import { type Command, PieceMover, STAGING_PIECES, stagingBytesOf } from './piece-mover.js';
import { TensorBuffers } from '../tensor-buffers.js';
import { TurnAround } from './turn-around.js';
import { checkUpdateBackend } from '../update-backend.js';

/** Staging takes at most this share of the weights, or the bytes below if those are more. */
const STAGING_SHARE = 0.05;
const STAGING_BYTES = 2 ** 20;

/** Bits of infinity; above are the NaNs. */
const INFINITY_BITS = 0x7f80_0000;
const LARGEST_HALF_BITS = new Uint32Array(Float32Array.of(LARGEST_HALF).buffer)[0] as number;

/** Slow weights made from now on while `backend` is the current one are blended by its device. */
export function blendOn(backend: LeanBackend): void {
  registerStoreFactory(backend, (options) => new DeviceSlowStore(backend, options));
}

class DeviceSlowStore<W extends Storable> implements SlowStore<W> {
  readonly description = 'device';
  readonly #backend: LeanBackend;
  readonly #format: SlowFormat;
  readonly #chunkBytes: number;
  readonly #buffers: TensorBuffers;
  readonly #mover: PieceMover<W>;
  readonly #largest: LargestMagnitudes;
  readonly #turnAround: TurnAround;
  #pieces: Piece<W>[] = [];
  /** In the order in which they were added: a run that is repeated draws the same random bits. */
  readonly #numbers = new Map<W, number>();
  readonly #outgrown = new Set<W>();

  constructor(backend: LeanBackend, { format, chunkBytes, clock }: StoreOptions) {
    this.#backend = backend;
    this.#format = format;
    this.#chunkBytes = chunkBytes;
    this.#buffers = new TensorBuffers(checkUpdateBackend(backend));
    this.#mover = new PieceMover(backend, this.#buffers, (item) => this.#numberOf(item));
    this.#largest = new LargestMagnitudes(backend, this.#buffers);
    this.#turnAround = new TurnAround(clock);
  }

  get bytes(): StoreBytes {
    const slow = this.#pieces.reduce((sum, { bytes }) => sum + bytes, 0);
    return { slow, staging: slow, device: stagingBytesOf(this.#pieces) };
  }

  get outgrown(): number {
    return this.#outgrown.size;
  }

  add(items: readonly W[]): void {
    for (const item of items) this.#numbers.set(item, this.#numbers.size);
    const weightBytes = items.reduce((sum, { size }) => sum + size * 4, 0);
    const allBytes = Math.max(STAGING_BYTES, STAGING_SHARE * weightBytes);
    this.#make(items, Math.min(this.#chunkBytes, allBytes / STAGING_PIECES));
  }

  prune(isAlive: (item: W) => boolean): void {
    for (const item of this.#numbers.keys()) if (!isAlive(item)) this.#outgrown.delete(item);
    const isEmpty = ({ parts }: Piece<W>) => !parts.some(({ item }) => isAlive(item));
    // What is on its way stays until the next time.
    const empty = new Set(this.#turnAround.isRunning ? [] : this.#pieces.filter(isEmpty));
    for (const piece of empty) piece.destroy(this.#backend.hostBuffers);
    this.#pieces = this.#pieces.filter((piece) => !empty.has(piece));
  }

  async capture(source: ReadonlyMap<tf.Variable, tf.Tensor>, round: number): Promise<void> {
    await this.#turnAround.over();
    const tensorOf = ({ variable }: W) => source.get(variable);
    const items = [...this.#numbers.keys()].filter((item) => tensorOf(item)?.isDisposed === false);
    const tensors = new Map<W, tf.Tensor>();
    const copies: tf.Tensor[] = [];
    try {
      for (const item of items) {
        const tensor = tensorOf(item) as tf.Tensor;
        const floats = this.#buffers.holdsFloats(tensor) ? tensor : this.#buffers.copy(tensor);
        if (floats !== tensor) copies.push(floats);
        tensors.set(item, floats);
      }
      await this.#makeFit(items, tensors);
      this.#run({
        move: 'capture',
        isMeant: (item) => tensors.has(item),
        tensorOf: (item) => tensors.get(item) as tf.Tensor,
        stepSizeOf: () => 1,
        round,
      });
    } finally {
      tf.dispose(copies);
    }
  }

  async restore(isMeant: (item: W) => boolean): Promise<void> {
    await this.#turnAround.over();
    this.#run({
      move: 'restore',
      isMeant: (item) => !item.variable.isDisposed && isMeant(item),
      tensorOf: ({ variable }) => variable,
      stepSizeOf: () => 0,
      round: 0,
    });
  }

  async firstNonFinite(items: readonly W[]): Promise<W | null> {
    await this.ready();
    return this.#makeFit(items, new Map(items.map((item) => [item, item.variable])));
  }

  blend({ isDue, stepSizeOf, round }: BlendOptions<W>): Blending {
    let bytes: number | null = null;
    const run = async (): Promise<number> => {
      await this.ready();
      bytes ??= this.#run({
        move: 'blend',
        isMeant: (item) => !item.variable.isDisposed && isDue(item),
        tensorOf: ({ variable }) => variable,
        stepSizeOf,
        round,
      });
      return bytes;
    };
    return { run };
  }

  *parts(isMeant: (item: W) => boolean): Generator<SlowPart<W>> {
    for (const piece of this.#pieces) {
      for (const part of piece.parts) {
        if (!isMeant(part.item)) continue;
        yield { item: part.item, start: part.start, values: unpacked(piece, part) };
      }
    }
  }

  read(item: W): Float32Array {
    const all = new Float32Array(item.size);
    for (const { start, values } of this.parts((other) => other === item)) all.set(values, start);
    return all;
  }

  write(item: W, values: Float32Array): void {
    if (!fitsHalf(values)) this.#outgrow(item);
    const draw = { item: this.#numberOf(item), round: 0 };
    for (const piece of this.#pieces) {
      for (const part of piece.parts) {
        if (part.item !== item) continue;
        const { start, length } = part;
        const some = values.subarray(start, start + length);
        piece.write(part, (into) => {
          if (into instanceof Float32Array) into.set(some);
          else toHalf(some, into, start, draw);
        });
      }
    }
  }

  ready(): Promise<void> {
    return this.#turnAround.done();
  }

  breathe(): Promise<void> {
    return this.#turnAround.breathe();
  }

  dispose(): void {
    this.#turnAround.stop();
    for (const piece of this.#pieces) piece.destroy(this.#backend.hostBuffers);
    this.#pieces = [];
    this.#numbers.clear();
  }

  /** Puts the move into the device's queue and lets the turn-around begin. Bytes copied each way. */
  #run(command: Command<W>): number {
    this.#checkBackend();
    const moved = this.#mover.move(this.#pieces, command);
    if (moved === null) return 0;
    this.#turnAround.begin(moved.pieces, moved.submitted, command.move !== 'restore');
    return moved.pieces.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Those whose fast values (in `tensors`) outgrow fp16 are kept in float32 from now on. The first that is not finite. */
  async #makeFit(items: readonly W[], tensors: ReadonlyMap<W, tf.Tensor>): Promise<W | null> {
    this.#checkBackend();
    const largest = await this.#largest.of(items.map((item) => tensors.get(item) as tf.Tensor));
    for (const [i, item] of items.entries()) {
      if ((largest[i] as number) > LARGEST_HALF_BITS) this.#outgrow(item);
    }
    return items.find((_, i) => (largest[i] as number) >= INFINITY_BITS) ?? null;
  }

  /** Keeps `item` in float32 from now on, if it is not. */
  #outgrow(item: W): void {
    const isPacked = this.#pieces.some(({ parts }) =>
      parts.some((part) => part.item === item && part.format !== 'f32'),
    );
    if (!isPacked) return;
    const values = this.read(item);
    const pieceBytes = Math.max(...this.#pieces.map(({ bytes }) => bytes));
    this.#outgrown.add(item);
    for (const piece of this.#pieces)
      piece.parts = piece.parts.filter((part) => part.item !== item);
    this.#make([item], pieceBytes);
    this.write(item, values);
  }

  #make(items: readonly W[], pieceBytes: number): void {
    const packed = items.map((item) => ({ item, size: item.size, format: this.#formatOf(item) }));
    const made: Piece<W>[] = [];
    const { hostBuffers } = this.#backend;
    try {
      for (const { parts, bytes } of layOutPacked(packed, pieceBytes)) {
        made.push(new Piece(parts, bytes, hostBuffers));
      }
    } catch (error) {
      for (const piece of made) piece.destroy(hostBuffers);
      throw error;
    }
    this.#pieces.push(...made);
  }

  #formatOf(item: W): 'f32' | 'f16' {
    const { variable, slot } = item;
    return this.#outgrown.has(item)
      ? 'f32'
      : valueFormat(this.#format, { shape: variable.shape, slot });
  }

  #numberOf(item: W): number {
    return this.#numbers.get(item) ?? 0;
  }

  #checkBackend(): void {
    if (tf.backend() === this.#backend) return;
    throw new SlowlaneError(
      'ENGINE',
      `The slow weights are with the WebGPU engine that was the backend when training began, and the backend now is '${tf.getBackend()}'. Go back with tf.setBackend, or save the state and load it into a new Lookahead.`,
      { backend: tf.getBackend() },
    );
  }
}

function unpacked<W>(piece: Piece<W>, part: PackedPart<W>): Float32Array {
  const packed = piece.bytesOf(part);
  if (packed instanceof Float32Array) return packed;
  const values = new Float32Array(part.length);
  fromHalf(packed, values);
  return values;
}
