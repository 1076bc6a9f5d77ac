// Puts one move of many pieces into the device's queue: up, through a staging buffer, and down.

import type * as tf from '@tensorflow/tfjs-core';

import type { LeanBackend } from '../lean-backend.js';
import type { TensorBuffers } from '../tensor-buffers.js';
import type { Move } from './blend-wgsl.js';
import { type PartMove, PartMover } from './part-mover.js';
import type { Piece } from './piece.js';

/** Pieces on the device at a time: one going up, one being blended, one coming down, and one to spare. */
export const STAGING_PIECES = 4;

export interface Command<W> {
  readonly move: Move;
  readonly isMeant: (item: W) => boolean;
  /** Its fast values. The item's own variable, unless it is captured. */
  readonly tensorOf: (item: W) => tf.Tensor;
  readonly stepSizeOf: (item: W) => number;
  readonly round: number;
}

export interface Moved<W> {
  readonly pieces: readonly Piece<W>[];
  /** Rejects if the device failed. */
  readonly submitted: Promise<void>;
}

export class PieceMover<W extends { readonly variable: tf.Variable }> {
  readonly #backend: LeanBackend;
  readonly #buffers: TensorBuffers;
  readonly #numberOf: (item: W) => number;
  readonly #parts: PartMover;

  constructor(backend: LeanBackend, buffers: TensorBuffers, numberOf: (item: W) => number) {
    this.#backend = backend;
    this.#buffers = buffers;
    this.#numberOf = numberOf;
    this.#parts = new PartMover(backend.device);
  }

  /**
   * Moves those of `all` that hold something meant, and hands them over to the device; null if none does. If
   * it throws (over budget, mostly), nothing has changed.
   */
  move(all: readonly Piece<W>[], command: Command<W>): Moved<W> | null {
    const { isMeant } = command;
    const pieces = all.filter(({ parts }) => parts.some(({ item }) => isMeant(item)));
    if (pieces.length === 0) return null;
    const written = command.move === 'capture' ? [] : variablesIn(pieces, isMeant);
    for (const variable of written) {
      // Values that a failing device spoilt are refused everywhere; here they are replaced.
      const { errors } = this.#backend;
      if (command.move === 'restore' && errors.isSuspect(variable.dataId))
        this.#buffers.renew(variable);
      else this.#buffers.makeOwn(variable);
    }
    const { pool } = this.#backend;
    const lent: GPUBuffer[] = [];
    const lend = (bytes: number, usage: GPUBufferUsageFlags) => {
      const buffer = pool.acquireBuffer(bytes, usage);
      lent.push(buffer);
      pool.relabel(buffer, 'staging');
      return buffer;
    };
    try {
      const submitted = this.#submit(pieces, command, written, lend);
      for (const variable of written) this.#buffers.forgetHostCopy(variable);
      return { pieces, submitted };
    } finally {
      // Destroyed once the commands are done: between syncs staging takes no memory.
      for (const buffer of lent) pool.releaseBuffer(buffer, false);
    }
  }

  #submit(
    pieces: readonly Piece<W>[],
    command: Command<W>,
    written: readonly tf.Variable[],
    lend: (bytes: number, usage: GPUBufferUsageFlags) => GPUBuffer,
  ): Promise<void> {
    const { STORAGE, UNIFORM, COPY_SRC, COPY_DST } = GPUBufferUsage;
    const pieceBytes = Math.max(...pieces.map(({ bytes }) => bytes));
    const staging = Array.from({ length: Math.min(STAGING_PIECES, pieces.length) }, () =>
      lend(pieceBytes, STORAGE | COPY_SRC | COPY_DST),
    );
    const stagingOf = (i: number) => staging[i % staging.length] as GPUBuffer;
    const moves = pieces.map((piece, i) => this.#movesOf(piece, stagingOf(i), command));
    const uniforms = lend(PartMover.uniformBytes(moves.flat().length), UNIFORM | COPY_DST);
    this.#backend.flush(); // what writes the fast weights comes first
    const dispatches = this.#parts.prepare(moves.flat(), uniforms);

    // From here on nothing is refused.
    const comesDown = command.move !== 'restore';
    const encoder = this.#backend.device.createCommandEncoder();
    for (const [i, piece] of pieces.entries()) {
      const { bytes, upload, download } = piece;
      piece.handOver(comesDown);
      encoder.copyBufferToBuffer(upload, 0, stagingOf(i), 0, bytes);
      const pass = encoder.beginComputePass();
      for (const { pipeline, group, grid } of dispatches.splice(0, moves[i]?.length)) {
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, group);
        pass.dispatchWorkgroups(...grid);
      }
      pass.end();
      if (comesDown) encoder.copyBufferToBuffer(stagingOf(i), 0, download, 0, bytes);
    }
    const dataIds = written.map(({ dataId }) => dataId);
    return this.#backend.submitOwn(encoder.finish(), dataIds);
  }

  #movesOf(piece: Piece<W>, slow: GPUBuffer, command: Command<W>): PartMove[] {
    const { move, isMeant, tensorOf, stepSizeOf, round } = command;
    return piece.parts
      .filter(({ item }) => isMeant(item))
      .map((part) => ({
        move,
        part,
        slow,
        fast: this.#buffers.of(tensorOf(part.item)),
        item: this.#numberOf(part.item),
        stepSize: stepSizeOf(part.item),
        round,
      }));
  }
}

/** Of the device, while all pieces move. */
export function stagingBytesOf(pieces: readonly { readonly bytes: number }[]): number {
  const largest = pieces.reduce((most, { bytes }) => Math.max(most, bytes), 0);
  return Math.min(STAGING_PIECES, pieces.length) * largest;
}

function variablesIn<W extends { readonly variable: tf.Variable }>(
  pieces: readonly Piece<W>[],
  isMeant: (item: W) => boolean,
): readonly tf.Variable[] {
  const items = pieces.flatMap(({ parts }) => parts.map(({ item }) => item));
  return [...new Set(items.filter(isMeant).map(({ variable }) => variable))];
}
