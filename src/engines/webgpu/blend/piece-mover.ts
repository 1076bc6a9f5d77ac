// Puts one move of many pieces into the device's queue: up, through a staging buffer, and down.

import type * as tf from '@tensorflow/tfjs-core';

import { storedBytes } from '../../../../workers/codecs/value-format.js';
import { SlowlaneError } from '../../../checks/errors.js';
import { type QuantizedPart, STAGING_PIECES } from '../../../slow/quantized-layout.js';
import type { Storable } from '../../../slow/slow-store.js';
import type { BudgetedBackend } from '../budgeted-backend.js';
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
import type { HandedOver } from '../host-memory/readback.js';

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

export class PieceMover<W extends Storable> {
  readonly #backend: BudgetedBackend;
  readonly #buffers: TensorBuffers;
  readonly #pipelines = new Map<string, GPUComputePipeline>();

  constructor(backend: BudgetedBackend, buffers: TensorBuffers) {
    this.#backend = backend;
    this.#buffers = buffers;
  }

  /**
   * Moves those of `all` that hold something meant, and hands them over to the device. If it throws (over
   * budget, mostly), nothing has changed.
   */
  move(all: readonly HostPiece<W>[], command: Command<W>): HandedOver<HostPiece<W>> {
    const { isMeant, op } = command;
    const downloads = op !== 'restore';
    const pieces = all.filter(({ parts }) => parts.some(({ item }) => isMeant(item)));
    if (pieces.length === 0) return { pieces, submitted: Promise.resolve(), downloads };
    checkHere(pieces);
    const { pool } = this.#backend;
    const acquired: GPUBuffer[] = [];
    const acquire = (bytes: number, usage: GPUBufferUsageFlags) => {
      const buffer = pool.acquireBuffer(bytes, usage);
      acquired.push(buffer);
      pool.relabel(buffer, 'staging');
      return buffer;
    };
    const targets = new Map<tf.Variable, tf.Tensor>();
    try {
      for (const variable of op === 'capture' ? [] : variablesIn(pieces, isMeant)) {
        targets.set(variable, this.#target(variable, op));
      }
      const submitted = this.#submit(pieces, command, targets, acquire);
      for (const [variable, target] of targets) {
        if (target !== variable) variable.assign(target);
        this.#buffers.forgetHostCopy(variable);
      }
      return { pieces, submitted, downloads };
    } finally {
      for (const [variable, target] of targets) if (target !== variable) target.dispose();
      // Destroyed once the commands are done: between syncs staging takes no memory.
      for (const buffer of acquired) pool.releaseBuffer(buffer, false);
    }
  }

  /** The tensor that the device writes: the variable's own data, or new data if a failure spoilt that. */
  #target(variable: tf.Variable, op: BlendOp): tf.Tensor {
    if (op === 'restore' && this.#backend.errors.isSuspect(variable.dataId)) {
      return this.#buffers.likeOf(variable);
    }
    this.#buffers.makeOwn(variable);
    return variable;
  }

  #submit(
    pieces: readonly HostPiece<W>[],
    command: Command<W>,
    targets: ReadonlyMap<tf.Variable, tf.Tensor>,
    acquire: (bytes: number, usage: GPUBufferUsageFlags) => GPUBuffer,
  ): Promise<void> {
    const { STORAGE, UNIFORM, COPY_SRC, COPY_DST } = GPUBufferUsage;
    const pieceBytes = Math.max(...pieces.map(({ bytes }) => bytes));
    const staging = Array.from({ length: Math.min(STAGING_PIECES, pieces.length) }, () =>
      acquire(pieceBytes, STORAGE | COPY_SRC | COPY_DST),
    );
    const stagingOf = (i: number) => staging[i % staging.length] as GPUBuffer;
    const moves = pieces.map((piece, i) => this.#movesOf(piece, stagingOf(i), command, targets));
    const uniforms = acquire(moves.flat().length * ALIGN_BYTES, UNIFORM | COPY_DST);
    this.#backend.flush(); // what writes the fast weights comes first
    const dispatches = this.#prepare(moves.flat(), command, uniforms);

    // From here on nothing is refused.
    const downloads = command.op !== 'restore';
    const encoder = this.#backend.device.createCommandEncoder();
    for (const [i, piece] of pieces.entries()) {
      const { bytes, upload, download } = piece;
      piece.handOver(downloads);
      encoder.copyBufferToBuffer(upload, 0, stagingOf(i), 0, bytes);
      const pass = encoder.beginComputePass();
      for (const { pipeline, group, grid } of dispatches.splice(0, moves[i]?.length)) {
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, group);
        pass.dispatchWorkgroups(...grid);
      }
      pass.end();
      if (downloads) encoder.copyBufferToBuffer(stagingOf(i), 0, download, 0, bytes);
    }
    const dataIds = [...targets.values()].map(({ dataId }) => dataId);
    return this.#backend.submitOwn(encoder.finish(), dataIds);
  }

  #movesOf(
    piece: HostPiece<W>,
    slow: GPUBuffer,
    { isMeant, tensorOf }: Command<W>,
    targets: ReadonlyMap<tf.Variable, tf.Tensor>,
  ): PartMove<W>[] {
    return piece.parts
      .filter(({ item }) => isMeant(item))
      .map((part) => {
        const fast = this.#buffers.of(targets.get(part.item.variable) ?? tensorOf(part.item));
        return { part, slow, fast };
      });
  }

  /** Writes the numbers of all `moves` into `uniforms` at once. */
  #prepare(moves: readonly PartMove<W>[], command: Command<W>, uniforms: GPUBuffer): Dispatch[] {
    const { op, round, stepSizeOf } = command;
    const numbers = new ArrayBuffer(moves.length * ALIGN_BYTES);
    const dispatches = moves.map((move, i) => {
      const { item, start, length } = move.part;
      const offset = i * ALIGN_BYTES;
      const stepSize = stepSizeOf(item);
      // The item's number is for random rounding.
      const given = { length, start, item: item.serial, round, stepSize };
      blendNumbers(new DataView(numbers, offset), given);
      return this.#dispatch(op, move, { buffer: uniforms, offset, size: NUMBERS_BYTES });
    });
    this.#backend.device.queue.writeBuffer(uniforms, 0, numbers);
    return dispatches;
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

/** Call it before anything changes: a piece that the device did not return cannot be moved. */
function checkHere<W>(pieces: readonly HostPiece<W>[]): void {
  if (!pieces.every(({ isHere }) => isHere)) throw notReturned();
}

export function notReturned(): SlowlaneError {
  return new SlowlaneError(
    'DEVICE_FAILED',
    'The device did not return all slow weights after an earlier sync. Load the last saved state into a new Lookahead.',
  );
}

function variablesIn<W extends Storable>(
  pieces: readonly HostPiece<W>[],
  isMeant: (item: W) => boolean,
): readonly tf.Variable[] {
  const items = pieces.flatMap(({ parts }) => parts.map(({ item }) => item));
  return [...new Set(items.filter(isMeant).map(({ variable }) => variable))];
}
