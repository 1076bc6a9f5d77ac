// The largest magnitude in each of several tensors, NaN above infinity above all numbers, in one dispatch a
// tensor and one small read.

import type * as tf from '@tensorflow/tfjs-core';

import { bindGroup, compileKernel, declared, entryPoint } from '../update/kernel.js';
import type { BudgetedBackend } from '../budgeted-backend.js';
import type { TensorBuffers } from '../update/tensor-buffers.js';
import { WORKGROUP_SIZE, gridFor } from '../update/update-wgsl.js';

/** Elements that an invocation looks at. */
const PER_INVOCATION = 16;

/** Without its sign, a float's bits are in the order of the magnitudes. */
const BODY = `let first = (group.y * grid.x + group.x) * ${WORKGROUP_SIZE * PER_INVOCATION}u + lane;
  var mine = 0u;
  for (var n = 0u; n < ${PER_INVOCATION}u; n++) {
    let i = first + n * ${WORKGROUP_SIZE}u;
    if (i < numbers.length) { mine = max(mine, all_bits[i] & 0x7fffffffu); }
  }
  atomicMax(&ours, mine);
  workgroupBarrier();
  if (lane == 0u) { atomicMax(&largest[numbers.index], atomicLoad(&ours)); }`;
const VARIABLES = [
  'var<storage, read> all_bits: array<u32>',
  'var<storage, read_write> largest: array<atomic<u32>>',
  'var<uniform> numbers: Numbers',
];
const CODE = `struct Numbers { length: u32, index: u32 }
${declared(VARIABLES)}
var<workgroup> ours: atomic<u32>;
${entryPoint(WORKGROUP_SIZE, [BODY])}`;

const NUMBERS_BYTES = 256;

export class LargestMagnitudes {
  readonly #backend: BudgetedBackend;
  readonly #buffers: TensorBuffers;
  #pipeline: GPUComputePipeline | null = null;

  constructor(backend: BudgetedBackend, buffers: TensorBuffers) {
    this.#backend = backend;
    this.#buffers = buffers;
  }

  /** Bits of the largest magnitude of each: from 0x7f800000 on it is infinite, above that not a number. */
  async of(tensors: readonly tf.Tensor[]): Promise<Uint32Array> {
    const ranges = rangesOf(tensors, this.#backend.device.limits);
    if (ranges.length === 0) return new Uint32Array(tensors.length);
    const sources = tensors.map((tensor) => this.#buffers.of(tensor));
    return this.#find(sources, ranges);
  }

  async #find(sources: readonly GPUBuffer[], ranges: readonly Range[]): Promise<Uint32Array> {
    const backend = this.#backend;
    const { device, pool } = backend;
    const { STORAGE, COPY_SRC, COPY_DST, UNIFORM } = GPUBufferUsage;
    const found = pool.acquireBuffer(4 * sources.length, STORAGE | COPY_SRC | COPY_DST);
    let uniforms: GPUBuffer | null = null;
    try {
      uniforms = pool.acquireBuffer(NUMBERS_BYTES * ranges.length, UNIFORM | COPY_DST);
      const numbers = new Uint32Array((NUMBERS_BYTES / 4) * ranges.length);
      ranges.forEach(({ length, index }, i) => {
        numbers.set([length, index], (i * NUMBERS_BYTES) / 4);
      });
      backend.flush(); // what writes these tensors comes first
      device.queue.writeBuffer(uniforms, 0, numbers);
      const done = backend.submitOwn(this.#record(sources, ranges, { found, uniforms }), []);
      const [values] = await Promise.all([backend.getBufferData(found), done]);
      return new Uint32Array(values, 0, sources.length);
    } finally {
      if (uniforms) pool.releaseBuffer(uniforms);
      pool.releaseBuffer(found);
    }
  }

  #record(
    sources: readonly GPUBuffer[],
    ranges: readonly Range[],
    { found, uniforms }: { readonly found: GPUBuffer; readonly uniforms: GPUBuffer },
  ): GPUCommandBuffer {
    const { device } = this.#backend;
    const pipeline = (this.#pipeline ??= compileKernel(device, CODE));
    const encoder = device.createCommandEncoder();
    encoder.clearBuffer(found);
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    for (const [i, { index, start, length }] of ranges.entries()) {
      const bound: GPUBufferBinding[] = [
        { buffer: sources[index] as GPUBuffer, offset: start * 4, size: length * 4 },
        { buffer: found, size: 4 * sources.length },
        { buffer: uniforms, offset: i * NUMBERS_BYTES, size: 8 },
      ];
      pass.setBindGroup(0, bindGroup(device, pipeline, bound));
      const { maxComputeWorkgroupsPerDimension } = device.limits;
      const invocations = Math.ceil(length / PER_INVOCATION);
      pass.dispatchWorkgroups(...gridFor(invocations, maxComputeWorkgroupsPerDimension));
    }
    pass.end();
    return encoder.finish();
  }
}

/** Elements of one tensor that one dispatch looks at. */
interface Range {
  /** Which tensor. */
  readonly index: number;
  readonly start: number;
  readonly length: number;
}

/** All elements of `tensors`, in ranges that a shader can bind. */
function rangesOf(tensors: readonly tf.Tensor[], limits: GPUSupportedLimits): Range[] {
  const bindable = Math.floor(Math.min(limits.maxStorageBufferBindingSize, 2 ** 30) / 256) * 64;
  return tensors.flatMap(({ size }, index) =>
    Array.from({ length: Math.ceil(size / bindable) }, (_, n) => ({
      index,
      start: n * bindable,
      length: Math.min(bindable, size - n * bindable),
    })),
  );
}
