// Slow weights that the host stores, quantized, and the device blends.
//
// They are in plain memory, so the device reaches none of it, and a device that is lost takes none of it along. A sync carries
// piece after piece through a small ring of mapped pairs: up → blend and quantize in place → down. It ends when the last
// piece is submitted; what is still on its way then comes back while training goes on (the readback). The next sync, a save and
// a restore wait for it.
//
// A piece keeps its previous slow weights until it is known that the device did not fail.

import type * as tf from '@tensorflow/tfjs-core';

import { fitsIn, largestIn } from '../../../../workers/codecs/value-format.js';
import {
  layOutQuantized,
  stagedPieceBytes,
  stagingBytesOf,
  stagingOf,
} from '../../../slow/quantized-layout.js';
import {
  type BlendOptions,
  type Blending,
  formatOf,
  type SlowPart,
  type SlowStore,
  type Storable,
  type StoreBytes,
} from '../../../slow/slow-store.js';
import { isGone } from '../../../tfjs/variables.js';
import type { StoreOptions } from '../../../engine/engine.js';
import { LargestMagnitudes } from './largest.js';
import { SlowlaneError } from '../../../checks/errors.js';
import { nonFiniteAt } from '../../../checks/finite-values.js';
import type { BudgetedBackend } from '../budgeted-backend.js';
import { Background } from '../host-memory/background.js';
import type { Returning } from '../host-memory/host-buffers.js';
import { TakenValues } from '../host-memory/taken-values.js';
import { TransferRing } from '../host-memory/transfer-ring.js';
import { HostPiece } from './host-piece.js';
import { type Command, type Move, PieceMover } from './piece-mover.js';
import { TensorBuffers } from '../update/tensor-buffers.js';
import { checkCurrent } from '../check-current.js';

/** Bits of infinity; above are the NaNs. */
const INFINITY_BITS = 0x7f80_0000;

export class DeviceBlendStore<W extends Storable> implements SlowStore<W>, Returning {
  readonly description = 'device';
  readonly #backend: BudgetedBackend;
  readonly #options: StoreOptions;
  readonly #buffers: TensorBuffers;
  readonly #mover: PieceMover<W>;
  readonly #largest: LargestMagnitudes;
  readonly #background: Background;
  readonly #ring: TransferRing;
  readonly #taken: TakenValues<W>;
  /** The rounds of what was taken and is not captured yet. */
  readonly #rounds = new Map<W, number>();
  #pieces: HostPiece<W>[] = [];

  constructor(backend: BudgetedBackend, options: StoreOptions) {
    this.#backend = backend;
    this.#options = options;
    this.#buffers = new TensorBuffers(backend.parts);
    this.#largest = new LargestMagnitudes(backend, this.#buffers);
    this.#taken = new TakenValues(backend, this.#buffers);
    // Pieces whose weights were disposed during the readback can go now.
    this.#background = new Background(() => this.prune(({ variable }) => !isGone(variable)));
    this.#ring = new TransferRing(backend.hostBuffers, backend.errors);
    this.#mover = new PieceMover({
      backend,
      buffers: this.#buffers,
      ring: this.#ring,
      clock: options.clock,
      background: this.#background,
    });
    backend.hostBuffers.watch(this);
  }

  get bytes(): StoreBytes {
    const slow = this.#pieces.reduce((sum, { bytes }) => sum + bytes, 0);
    return { slow, staging: this.#ring.bytes, device: stagingBytesOf(this.#pieces) };
  }

  add(items: readonly W[]): void {
    this.#backend.errors.throwIfLost();
    const weightBytes = items.reduce((sum, { size }) => sum + size * 4, 0);
    const pieceBytes = stagedPieceBytes(weightBytes, this.#options.chunkBytes);
    const made = this.#make(items, pieceBytes);
    try {
      const { count, bytes } = stagingOf([...this.#pieces, ...made]);
      this.#ring.reserve(count, bytes);
    } catch (error) {
      this.#forget(made);
      throw error;
    }
    this.#pieces.push(...made);
  }

  prune(isAlive: (item: W) => boolean): void {
    const gone = new Set(
      this.#pieces.filter(({ parts }) => !parts.some(({ item }) => isAlive(item))),
    );
    this.#forget([...gone]);
    this.#pieces = this.#pieces.filter((piece) => !gone.has(piece));
    if (this.#pieces.length === 0 && !this.#background.isRunning) this.#ring.release();
  }

  take(items: readonly W[], round: number): readonly W[] {
    this.#checkBackend();
    const filled = items.filter(({ size }) => size > 0);
    this.#taken.take(new Map(filled.map((item) => [item, item.variable])));
    for (const item of filled) this.#rounds.set(item, round);
    return [];
  }

  async capture(
    source: ReadonlyMap<tf.Variable, tf.Tensor>,
    round: number,
  ): Promise<readonly tf.Variable[]> {
    await this.#background.over();
    const isGiven = ({ variable }: W) => {
      const tensor = source.get(variable);
      return tensor !== undefined && !isGone(tensor);
    };
    const bad = await this.#keepTaken(isGiven);
    const items = this.#items().filter(isGiven);
    this.#checkBackend();
    const given = items.map(({ variable }) => source.get(variable) as tf.Tensor);
    await this.#buffers.withFloats(given, async (floats) => {
      const largest = await this.#largest.of(floats);
      const floatsOf = new Map<W, tf.Tensor>();
      for (const [i, item] of items.entries()) {
        const magnitude = largest[i] as number;
        if (magnitude >= INFINITY_BITS) {
          bad.add(item);
          continue;
        }
        if (magnitude > this.#largestBits(item)) this.#keepInF32(item);
        floatsOf.set(item, floats[i] as tf.Tensor);
      }
      await this.#run({
        op: 'capture',
        isMeant: (item) => isGiven(item) && floatsOf.has(item),
        tensorOf: (item) => floatsOf.get(item) as tf.Tensor,
        stepSizeOf: () => 1,
        round,
      });
    });
    for (const item of items) this.#forgetTaken(item);
    const isAll = this.#items().every(
      (item) => isGone(item.variable) || (isGiven(item) && !bad.has(item)),
    );
    if (isAll) this.#background.clearFailure();
    return [...bad].map(({ variable }) => variable);
  }

  async restore(isMeant: (item: W) => boolean): Promise<void> {
    await this.#background.over();
    await this.#run({
      op: 'restore',
      isMeant: (item) => !isGone(item.variable) && isMeant(item),
      tensorOf: ({ variable }) => variable,
      stepSizeOf: () => 0,
      round: 0,
    });
    this.#background.clearFailure();
  }

  /** The readback of an earlier sync, and the look for NaN, have to wait for the device. */
  readonly atOnce = null;

  async inspect(items: readonly W[], beside: readonly tf.Tensor[]): Promise<tf.Tensor | null> {
    await this.ready();
    this.#checkBackend();
    const all: readonly tf.Tensor[] = [...items.map(({ variable }) => variable), ...beside];
    const largest = await this.#buffers.withFloats(all, (floats) => this.#largest.of(floats));
    const bad = largest.findIndex((magnitude) => magnitude >= INFINITY_BITS);
    if (bad >= 0) return all[bad] ?? null;
    for (const [i, item] of items.entries()) {
      if ((largest[i] as number) > this.#largestBits(item)) this.#keepInF32(item);
    }
    return null;
  }

  blend({ stepSizeOf, round }: BlendOptions<W>): Blending {
    const moved = new Set<HostPiece<W>>();
    let isDone = false;
    const run = async (): Promise<number> => {
      if (!isDone) {
        await this.ready();
        const move = this.#move(
          {
            op: 'blend',
            isMeant: (item) => stepSizeOf(item) !== null && !isGone(item.variable),
            tensorOf: ({ variable }) => variable,
            stepSizeOf: (item) => stepSizeOf(item) ?? 0,
            round,
          },
          moved,
        );
        this.#background.begin(move.ended);
        await move.queued;
        isDone = true;
      }
      return [...moved].reduce((sum, piece) => sum + piece.bytes, 0);
    };
    return { run };
  }

  *parts(isMeant: (item: W) => boolean): Generator<SlowPart<W>> {
    for (const piece of this.#pieces) {
      for (const part of piece.parts) {
        if (!isMeant(part.item)) continue;
        yield { item: part.item, start: part.start, values: piece.values(part) };
      }
    }
  }

  read(item: W): Float32Array {
    const all = new Float32Array(item.size);
    for (const { start, values } of this.parts((other) => other === item)) all.set(values, start);
    return all;
  }

  async kept(item: W): Promise<Float32Array> {
    await this.#background.over();
    return this.#rounds.has(item) ? (await this.#takenOf(item)).slice() : this.read(item);
  }

  allBack(): Promise<void> | null {
    return this.#background.isRunning ? this.#background.over() : null;
  }

  write(item: W, values: Float32Array): void {
    this.#write(item, values, 0);
  }

  /** Stores what was taken, except of what `isGiven` anew. Resolves to items whose values are not finite, and not stored. */
  async #keepTaken(isGiven: (item: W) => boolean): Promise<Set<W>> {
    const bad = new Set<W>();
    for (const [item, round] of this.#rounds) {
      if (isGiven(item)) continue;
      if (!isGone(item.variable)) {
        const values = await this.#takenOf(item);
        if (nonFiniteAt(values) < 0) this.#write(item, values, round);
        else bad.add(item);
      }
      this.#forgetTaken(item);
    }
    return bad;
  }

  async #takenOf(item: W): Promise<Float32Array> {
    try {
      return await this.#taken.read(item);
    } catch (cause) {
      this.#backend.errors.throwIfLost();
      throw new SlowlaneError(
        'DEVICE_FAILED',
        `The device failed while it copied '${item.variable.name}' as it was before its first step, so its slow ` +
          `weights are lost. Make a new Lookahead, or load a saved state.`,
        { weight: item.variable.name },
        { cause },
      );
    }
  }

  #forgetTaken(item: W): void {
    this.#taken.drop(item);
    this.#rounds.delete(item);
  }

  #write(item: W, values: Float32Array, round: number): void {
    if (!fitsIn(formatOf(item), values)) this.#keepInF32(item);
    const draw = { item: item.serial, round };
    for (const piece of this.#pieces) {
      for (const part of piece.parts) {
        if (part.item !== item) continue;
        const { start, length } = part;
        piece.write(part, values.subarray(start, start + length), draw);
      }
    }
  }

  ready(): Promise<void> {
    return this.#background.done();
  }

  yield(): Promise<void> {
    return this.#background.yield();
  }

  dispose(): void {
    this.#background.stop();
    for (const item of this.#rounds.keys()) this.#forgetTaken(item);
    this.#forget(this.#pieces);
    this.#pieces = [];
    this.#ring.release();
  }

  #keepInF32(item: W): void {
    if (formatOf(item) === 'f32') return;
    const values = this.read(item);
    const pieceBytes = Math.max(...this.#pieces.map(({ bytes }) => bytes));
    item.isKeptInF32 = true;
    try {
      const made = this.#make([item], pieceBytes);
      // There is room for it: only now its old places go.
      for (const piece of this.#pieces) piece.drop(item);
      this.#pieces.push(...made);
    } catch (error) {
      item.isKeptInF32 = false;
      throw error;
    }
    this.prune(() => true);
    this.write(item, values);
  }

  /** Moves, and waits for the end. */
  async #run(command: Command<W>): Promise<void> {
    const { queued, ended } = this.#move(command);
    const [sent, back] = await Promise.allSettled([queued, this.#background.run(ended)]);
    if (sent.status === 'rejected') throw sent.reason;
    if (back.status === 'rejected') throw back.reason;
  }

  #move(command: Command<W>, moved?: Set<HostPiece<W>>): Move {
    this.#checkBackend();
    return this.#mover.move(this.#pieces, command, moved);
  }

  /** In the order in which they were added. */
  #items(): W[] {
    return [...new Set(this.#pieces.flatMap(({ parts }) => parts.map(({ item }) => item)))];
  }

  #make(items: readonly W[], pieceBytes: number): HostPiece<W>[] {
    const formatted = items.map((item) => ({
      item,
      size: item.size,
      format: formatOf(item),
    }));
    const made: HostPiece<W>[] = [];
    const { hostBuffers } = this.#backend;
    try {
      for (const { parts, bytes } of layOutQuantized(formatted, pieceBytes)) {
        made.push(new HostPiece(parts, hostBuffers.createPlain(bytes)));
      }
    } catch (error) {
      this.#forget(made);
      throw error;
    }
    return made;
  }

  #forget(pieces: readonly HostPiece<W>[]): void {
    for (const { memory } of pieces) this.#backend.hostBuffers.forgetPlain(memory);
  }

  /** Of the largest magnitude that has a place in the item's format. */
  #largestBits(item: W): number {
    return new Uint32Array(Float32Array.of(largestIn(formatOf(item))).buffer)[0] as number;
  }

  #checkBackend(): void {
    checkCurrent(this.#backend, {
      what: 'slow weights',
      since: 'training began',
      owner: 'Lookahead',
    });
  }
}
