// Records the moves of parts between fast weights and quantized slow weights: pipelines, numbers, dispatches.

import { storedBytes } from '../../../../workers/codecs/value-format.js';
import type { QuantizedPart } from '../../../slow/quantized-layout.js';
import {
  type Move,
  type MoveSpec,
  NUMBERS_BYTES,
  elementsPerInvocation,
  moveNumbers,
  moveSource,
  workgroupSize,
} from './blend-wgsl.js';
import { bindGroup, compileKernel } from '../update/kernel.js';
import { WORKGROUP_SIZE, gridFor } from '../update/update-wgsl.js';

/** Where bindings may begin. */
const ALIGN_BYTES = 256;

export interface PartMove {
  readonly move: Move;
  readonly part: Pick<QuantizedPart<unknown>, 'format' | 'start' | 'length' | 'offset'>;
  /** The whole variable's buffer. */
  readonly fast: GPUBuffer;
  /** The whole piece's buffer on the device. */
  readonly slow: GPUBuffer;
  /** Number of the variable, for random rounding. */
  readonly item: number;
  readonly round: number;
  readonly stepSize: number;
}

export interface Dispatch {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly grid: readonly [number, number];
}

export class PartMover {
  readonly #device: GPUDevice;
  readonly #pipelines = new Map<string, GPUComputePipeline>();

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** Bytes of uniform memory for that many moves. */
  static uniformBytes(moves: number): number {
    return moves * ALIGN_BYTES;
  }

  /** Writes the numbers into `uniforms`, which has `uniformBytes`, at once. */
  prepare(moves: readonly PartMove[], uniforms: GPUBuffer): Dispatch[] {
    const numbers = new ArrayBuffer(PartMover.uniformBytes(moves.length));
    const dispatches = moves.map((move, i) => {
      const { start, length } = move.part;
      moveNumbers(new DataView(numbers, i * ALIGN_BYTES), { ...move, start, length });
      return this.#dispatch(move, {
        buffer: uniforms,
        offset: i * ALIGN_BYTES,
        size: NUMBERS_BYTES,
      });
    });
    this.#device.queue.writeBuffer(uniforms, 0, numbers);
    return dispatches;
  }

  #dispatch({ move, part, fast, slow }: PartMove, numbers: GPUBufferBinding): Dispatch {
    const { format, start, length, offset } = part;
    const spec: MoveSpec = { move, format, byFour: length % 4 === 0 };
    const pipeline = this.#pipelineFor(spec);
    const bound: GPUBufferBinding[] = [
      { buffer: fast, offset: start * 4, size: length * 4 },
      { buffer: slow, offset, size: storedBytes(format, length) },
      numbers,
    ];
    const group = bindGroup(this.#device, pipeline, bound);
    const groups = Math.ceil(length / elementsPerInvocation(spec) / workgroupSize(spec));
    const { maxComputeWorkgroupsPerDimension } = this.#device.limits;
    const grid = gridFor(groups * WORKGROUP_SIZE, maxComputeWorkgroupsPerDimension);
    return { pipeline, group, grid };
  }

  #pipelineFor(spec: MoveSpec): GPUComputePipeline {
    const key = `${spec.move} ${spec.format} ${spec.byFour}`;
    const known = this.#pipelines.get(key);
    if (known) return known;
    const pipeline = compileKernel(this.#device, moveSource(spec));
    this.#pipelines.set(key, pipeline);
    return pipeline;
  }
}
