// Moves pieces of plain memory through the device, one after the other: into a pair of the ring, up, through a staging
// buffer, down into the pair, and back into plain memory. The ring bounds how many are on their way.

import type * as tf from '@tensorflow/tfjs-core';

import { storedBytes } from '../../../../workers/codecs/value-format.js';
import { SlowlaneError } from '../../../checks/errors.js';
import { type QuantizedPart, stagingOf } from '../../../slow/quantized-layout.js';
import type { Storable, StoreClock } from '../../../slow/slow-store.js';
import { isGone } from '../../../tfjs/variables.js';
import type { BudgetedBackend } from '../budgeted-backend.js';
import type { Background } from '../host-memory/background.js';
import type { MappedPair } from '../host-memory/mapped-pair.js';
import { Slices } from '../host-memory/slices.js';
import type { TransferRing } from '../host-memory/transfer-ring.js';
import type { TensorBuffers } from '../update/tensor-buffers.js';
import { bindGroup, compileKernel } from '../update/kernel.js';
import { WORKGROUP_SIZE, gridFor } from '../update/update-wgsl.js';
import {
  type BlendKernelSpec,
  type BlendOp,
  NUMBERS_BYTES,
  blendKernelSource,
  blendNumbers,
  elementsPerInvocation,
  workgroupSize,
} from './blend-wgsl.js';
import type { HostPiece } from './host-piece.js';

/** Where the numbers of a dispatch may begin in a uniform buffer. */
const ALIGN_BYTES = 256;

export interface Command<W> {
  readonly op: BlendOp;
  readonly isMeant: (item: W) => boolean;
  /** Its fast values. The item's own variable, unless it is captured. */
  readonly tensorOf: (item: W) => tf.Tensor;
  readonly stepSizeOf: (item: W) => number;
  readonly round: number;
}

/** What a mover works with. */
export interface MoverParts {
  readonly backend: BudgetedBackend;
  readonly buffers: TensorBuffers;
  readonly ring: TransferRing;
  readonly clock: StoreClock;
  /** Once it is stopped, a move ends early. */
  readonly background: Background;
}

interface PartMove<W> {
  readonly part: QuantizedPart<W>;
  /** The whole variable's buffer. */
  readonly fast: GPUBuffer;
  /** The whole piece's buffer on the device. */
  readonly slow: GPUBuffer;
}

interface Dispatch {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly grid: readonly [number, number];
}

interface Dispatches {
  readonly all: readonly Dispatch[];
  /** The data that they write. */
  readonly written: ReadonlySet<object>;
}

/** A move that has begun. */
export interface Move {
  /**
   * Resolves when all is in the device's queue. Rejects if something was refused on the way: the pieces before that are
   * moved.
   */
  readonly queued: Promise<void>;
  /** Resolves when all that was queued is done and back in plain memory. Rejects if the device failed. */
  readonly ended: Promise<void>;
}

/** What is acquired for a move, before anything changes. */
interface Means {
  readonly staging: readonly GPUBuffer[];
  /** The numbers of all dispatches, in their order. */
  readonly uniforms: GPUBuffer;
  /** New data for variables whose own a failure spoilt. */
  readonly remade: ReadonlyMap<tf.Variable, tf.Tensor>;
  release(): void;
}

interface PieceMove<W> {
  readonly piece: HostPiece<W>;
  /** Of what is meant in it. */
  readonly parts: readonly QuantizedPart<W>[];
  /** Number of the dispatch of its first part. */
  readonly first: number;
}

export class PieceMover<W extends Storable> {
  readonly #backend: BudgetedBackend;
  readonly #buffers: TensorBuffers;
  readonly #ring: TransferRing;
  readonly #clock: StoreClock;
  readonly #background: Background;
  readonly #up = Slices.beside();
  readonly #down: Slices;
  readonly #pipelines = new Map<string, GPUComputePipeline>();

  constructor({ backend, buffers, ring, clock, background }: MoverParts) {
    this.#backend = backend;
    this.#buffers = buffers;
    this.#ring = ring;
    this.#clock = clock;
    this.#background = background;
    this.#down = Slices.beside((elapsedMs) => clock.add('readback', elapsedMs));
  }

  /**
   * Moves those of `all` that hold something meant, one after the other, and adds each to `moved` once it is in the queue.
   * If it throws (over budget, mostly), nothing has changed.
   */
  move(
    all: readonly HostPiece<W>[],
    command: Command<W>,
    moved: Set<HostPiece<W>> = new Set(),
  ): Move {
    const moves = movesOf(
      all.filter((piece) => !moved.has(piece)),
      command.isMeant,
    );
    if (moves.length === 0) return { queued: Promise.resolve(), ended: Promise.resolve() };
    const { count, bytes } = stagingOf(moves.map(({ piece }) => piece));
    this.#ring.reserve(count, bytes);
    const means = this.#acquire(moves, command);
    const returns: Promise<void>[] = [];
    const queued = this.#carry(moves, command, means, (piece, back) => {
      moved.add(piece);
      returns.push(back);
    }).finally(() => means.release());
    const ended = queued.catch(() => undefined).then(() => allOf(returns));
    return { queued, ended };
  }

  /** Asks for all that can be refused. */
  #acquire(moves: readonly PieceMove<W>[], command: Command<W>): Means {
    const { op } = command;
    const { STORAGE, UNIFORM, COPY_SRC, COPY_DST } = GPUBufferUsage;
    const { pool, errors } = this.#backend;
    const acquired: GPUBuffer[] = [];
    const remade = new Map<tf.Variable, tf.Tensor>();
    const acquire = (bytes: number, usage: GPUBufferUsageFlags) => {
      const buffer = pool.acquireBuffer(bytes, usage);
      acquired.push(buffer);
      pool.relabel(buffer, 'staging');
      return buffer;
    };
    const release = () => {
      for (const tensor of remade.values()) tensor.dispose();
      // Destroyed once the commands are done: between syncs staging takes no memory.
      for (const buffer of acquired) pool.releaseBuffer(buffer, false);
    };
    try {
      const parts = moves.flatMap((move) => move.parts);
      for (const variable of op === 'capture' ? [] : variablesIn(parts)) {
        if (op === 'restore' && errors.isSuspect(variable.dataId)) {
          remade.set(variable, this.#buffers.likeOf(variable));
        } else this.#buffers.makeOwn(variable);
      }
      for (const { item } of parts) {
        this.#buffers.of(remade.get(item.variable) ?? command.tensorOf(item));
      }
      const { count, bytes } = stagingOf(moves.map(({ piece }) => piece));
      const staging = Array.from({ length: count }, () =>
        acquire(bytes, STORAGE | COPY_SRC | COPY_DST),
      );
      const uniforms = acquire(parts.length * ALIGN_BYTES, UNIFORM | COPY_DST);
      this.#writeNumbers(parts, command, uniforms);
      return { staging, uniforms, remade, release };
    } catch (error) {
      release();
      throw error;
    }
  }

  async #carry(
    moves: readonly PieceMove<W>[],
    command: Command<W>,
    means: Means,
    isQueued: (piece: HostPiece<W>, back: Promise<void>) => void,
  ): Promise<void> {
    const { errors } = this.#backend;
    let failure: unknown = null;
    for (const [i, move] of moves.entries()) {
      const { piece } = move;
      const pair = await this.#clock.time('wait', () => this.#ring.take());
      if (pair === null && this.#background.isStopped) return;
      if (pair === null) throw failure ?? notReturned();
      try {
        if (this.#background.isStopped) return this.#ring.putBack(pair);
        if (failure !== null) throw failure;
        await this.#clock.time('push', () => this.#fill(pair, piece));
        if (this.#background.isStopped) return this.#ring.putBack(pair);
        // One that will be destroyed waits for the end of the move.
        if (errors.isGone) errors.throwIfLost();
        const staging = means.staging[i % means.staging.length] as GPUBuffer;
        await this.#clock.time('blend', () => {
          const dispatches = this.#dispatches(move, command, means, staging);
          const submitted = this.#submit(piece, command.op, { pair, staging, dispatches });
          const downloaded = command.op === 'restore' ? null : piece.memory;
          const back = this.#ring.comesBack(pair, submitted, downloaded, this.#down);
          back.catch((error: unknown) => (failure ??= error));
          isQueued(piece, back);
        });
      } catch (error) {
        this.#ring.putBack(pair);
        throw error;
      }
    }
    for (const [variable, tensor] of means.remade) {
      if (isGone(variable)) continue;
      variable.assign(tensor);
      this.#buffers.forgetHostCopy(variable);
    }
  }

  async #fill({ writable }: MappedPair, { memory, bytes }: HostPiece<W>): Promise<void> {
    try {
      await this.#up.copy(memory, writable.subarray(0, bytes));
    } catch (error) {
      throw await this.#backend.errors.named(error); // a device that is lost may take mapped memory away
    }
  }

  /** For each part of one piece, but of what was disposed meanwhile. May be refused, as long as nothing is submitted. */
  #dispatches(
    { parts, first }: PieceMove<W>,
    { op, tensorOf }: Command<W>,
    { uniforms, remade }: Means,
    staging: GPUBuffer,
  ): Dispatches {
    const all: Dispatch[] = [];
    const written = new Set<object>();
    for (const [i, part] of parts.entries()) {
      const { variable } = part.item;
      const own = remade.get(variable);
      const tensor = op === 'capture' ? tensorOf(part.item) : (own ?? variable);
      if (isGone(tensor)) continue;
      const isWritten = op !== 'capture';
      if (isWritten && tensor === variable) this.#buffers.makeOwn(variable); // someone may share it by now
      const fast = this.#buffers.of(tensor);
      if (isWritten && tensor === variable) this.#buffers.forgetHostCopy(variable);
      if (isWritten) written.add(tensor.dataId);
      const offset = (first + i) * ALIGN_BYTES;
      const numbers = { buffer: uniforms, offset, size: NUMBERS_BYTES };
      all.push(this.#dispatch(op, { part, fast, slow: staging }, numbers));
    }
    return { all, written };
  }

  /** Resolves once it is known that the device did not fail. */
  #submit(
    { bytes }: HostPiece<W>,
    op: BlendOp,
    { pair, staging, dispatches }: { pair: MappedPair; staging: GPUBuffer; dispatches: Dispatches },
  ): Promise<void> {
    const encoder = this.#backend.device.createCommandEncoder();
    const downloads = op !== 'restore';
    pair.handOver(downloads);
    encoder.copyBufferToBuffer(pair.upload, 0, staging, 0, bytes);
    const pass = encoder.beginComputePass();
    for (const { pipeline, group, grid } of dispatches.all) {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(...grid);
    }
    pass.end();
    if (downloads) encoder.copyBufferToBuffer(staging, 0, pair.download, 0, bytes);
    return this.#backend.submitOwn(encoder.finish(), dispatches.written);
  }

  /** Writes the numbers of all `parts` into `uniforms` at once. */
  #writeNumbers(
    parts: readonly QuantizedPart<W>[],
    { round, stepSizeOf }: Command<W>,
    uniforms: GPUBuffer,
  ): void {
    const numbers = new ArrayBuffer(parts.length * ALIGN_BYTES);
    for (const [i, { item, start, length }] of parts.entries()) {
      // The item's number is for random rounding.
      const given = { length, start, item: item.serial, round, stepSize: stepSizeOf(item) };
      blendNumbers(new DataView(numbers, i * ALIGN_BYTES), given);
    }
    this.#backend.device.queue.writeBuffer(uniforms, 0, numbers);
  }

  #dispatch(op: BlendOp, { part, fast, slow }: PartMove<W>, numbers: GPUBufferBinding): Dispatch {
    const { device } = this.#backend;
    const { format, start, length, offset } = part;
    const spec: BlendKernelSpec = { op, format, byFour: length % 4 === 0 };
    const pipeline = this.#pipelineFor(spec);
    const group = bindGroup(device, pipeline, [
      { buffer: fast, offset: start * 4, size: length * 4 },
      { buffer: slow, offset, size: storedBytes(format, length) },
      numbers,
    ]);
    const groups = Math.ceil(length / elementsPerInvocation(spec) / workgroupSize(spec));
    const { maxComputeWorkgroupsPerDimension } = device.limits;
    const grid = gridFor(groups * WORKGROUP_SIZE, maxComputeWorkgroupsPerDimension);
    return { pipeline, group, grid };
  }

  #pipelineFor(spec: BlendKernelSpec): GPUComputePipeline {
    const key = `${spec.op} ${spec.format} ${spec.byFour}`;
    const known = this.#pipelines.get(key);
    if (known) return known;
    const pipeline = compileKernel(this.#backend.device, blendKernelSource(spec));
    this.#pipelines.set(key, pipeline);
    return pipeline;
  }
}

/** The device kept a pair to itself: it failed in a way that nobody was told. */
function notReturned(): SlowlaneError {
  return new SlowlaneError(
    'DEVICE_FAILED',
    'The device did not return memory after an earlier sync. Await discard(), or load the last saved state into a new Lookahead.',
  );
}

/** Resolves when none of `works` goes on; rejects if one failed. */
async function allOf(works: readonly Promise<void>[]): Promise<void> {
  await Promise.allSettled(works);
  await Promise.all(works);
}

function movesOf<W>(
  pieces: readonly HostPiece<W>[],
  isMeant: (item: W) => boolean,
): PieceMove<W>[] {
  const moves: PieceMove<W>[] = [];
  let first = 0;
  for (const piece of pieces) {
    const parts = piece.parts.filter(({ item }) => isMeant(item));
    if (parts.length > 0) moves.push({ piece, parts, first });
    first += parts.length;
  }
  return moves;
}

function variablesIn<W extends Storable>(parts: readonly QuantizedPart<W>[]): Set<tf.Variable> {
  return new Set(parts.map(({ item }) => item.variable));
}
