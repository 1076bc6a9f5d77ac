/**
 * Updates weights in place on tfjs's WebGPU backend: one dispatch a weight, no temporaries.
 *
 * The dispatch is recorded into the pass that the backend has open, as its own kernels are: order,
 * submission in batches and deferred disposal stay the backend's, and an update costs no submission.
 *
 * A variable that shares its data gets a copy of its own first (tensor-buffers.ts).
 */
import * as tf from '@tensorflow/tfjs-core';
import { BLOCK, blocksOf } from '../../../formula/quantization.js';
import type { Updater, WeightUpdate } from '../../../formula/weight-update.js';
import { bindGroup, compileKernel } from './kernel.js';
import { TensorBuffers } from './tensor-buffers.js';
import {
  encoderOf,
  type Uniform,
  type WebGPUBackendParts,
  webgpuParts,
} from '../../../tfjs/webgpu-backend.js';
import { quantizedKernelSource } from './update-q8-wgsl.js';
import { gridFor, kernelSource } from './update-wgsl.js';

/** What happened so far. */
export interface UpdateCounts {
  /** Updates carried out, one dispatch each. */
  readonly dispatches: number;
  /** Variables that shared their data and got their own first, and their bytes. */
  readonly copies: number;
  readonly copiedBytes: number;
  readonly pipelines: number;
}

/**
 * Updates weights on `backend`, which must be the WebGPU backend of tfjs 4.22 or a subclass: throws UNSUPPORTED else.
 * `maxWorkgroups` a dimension: default the device's.
 */
export function inPlaceUpdates(
  backend: tf.KernelBackend,
  maxWorkgroups?: number,
): { readonly update: Updater; readonly counts: UpdateCounts } {
  const updates = new InPlaceUpdates(webgpuParts(backend), maxWorkgroups);
  return { update: (update) => updates.run(update), counts: updates.counts };
}

class InPlaceUpdates {
  readonly counts = { dispatches: 0, copies: 0, copiedBytes: 0, pipelines: 0 };
  readonly #backend: WebGPUBackendParts;
  readonly #buffers: TensorBuffers;
  readonly #maxWorkgroups: number;
  /** By their source: two optimizers with one formula share them. */
  readonly #pipelines = new Map<string, GPUComputePipeline>();
  /** By formula and variant, so that a step writes no source. */
  readonly #known = new WeakMap<WeightUpdate['formula'], Map<string, GPUComputePipeline>>();

  constructor(backend: WebGPUBackendParts, maxWorkgroups?: number) {
    this.#backend = backend;
    this.#buffers = new TensorBuffers(backend);
    this.#maxWorkgroups = maxWorkgroups ?? backend.device.limits.maxComputeWorkgroupsPerDimension;
  }

  run(update: WeightUpdate): void {
    const { weight, state, quantized, gradient, takesGradient } = update;
    if (weight.size > 0) {
      this.#buffers.checkSize(weight);
      const written = [
        weight,
        ...state.values(),
        ...(quantized === null ? [] : [quantized.scales]),
      ];
      const words = new Set(quantized === null ? [] : state.values());
      for (const variable of written) this.#makeOwn(variable, words.has(variable));
      const read = this.#readable(gradient, written);
      try {
        this.#dispatch(update, written, read);
      } finally {
        if (read !== gradient) read.dispose();
      }
    }
    if (takesGradient) gradient.dispose();
  }

  #dispatch(update: WeightUpdate, written: readonly tf.Variable[], gradient: tf.Tensor): void {
    const backend = this.#backend;
    const { weight, clip, scalars, quantized, rounding } = update;
    const width = weight.size % 4 === 0 ? 4 : 1;
    const pipeline = this.#pipelineFor(update, width);
    // A workgroup does 256 invocations of `width` elements, or one block of 256 elements.
    const blocks = blocksOf(weight.size);
    const count = quantized === null ? weight.size / width : weight.size;
    const [x, y] = gridFor(quantized === null ? count : blocks * BLOCK, this.#maxWorkgroups);
    const [, ...state] = written;
    const tensors = [weight, gradient, ...state];
    if (clip.by === 'scale') tensors.push(clip.scale);
    const bound = tensors.map((tensor) => this.#bind(tensor));
    const numbers: Uniform[] = [{ type: 'uint32', data: [count] }];
    if (quantized !== null) {
      numbers.push({ type: 'uint32', data: [blocks] }, { type: 'float32', data: [rounding] });
    }
    if (clip.by === 'value') numbers.push({ type: 'float32', data: [clip.limit] });
    for (const scalar of Object.values(scalars)) numbers.push({ type: 'float32', data: [scalar] });
    const uniforms = backend.makeUniforms(numbers);
    const group = bindGroup(backend.device, pipeline, [...bound, uniforms]);

    // Only now: making a buffer may submit what is recorded, and with it end the pass.
    const pass = this.#openPass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(x, y);
    for (const { dataId } of tensors) backend.commandQueueOwnedIds.add(dataId);
    for (const variable of written) this.#buffers.forgetHostCopy(variable);
    this.counts.dispatches += 1;

    backend.dispatchCountInPass += 1;
    const batch = tf.env().getNumber('WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE');
    if (backend.dispatchCountInPass < batch) return;
    backend.endComputePassEncoder();
    backend.submitQueue();
  }

  #openPass(): GPUComputePassEncoder {
    const encoder = encoderOf(this.#backend);
    this.#backend.computePassEncoder ??= encoder.beginComputePass();
    return this.#backend.computePassEncoder;
  }

  /** Exactly the tensor's elements, whatever the size of its buffer. */
  #bind(tensor: tf.Tensor): GPUBufferBinding {
    return { buffer: this.#buffers.of(tensor), offset: 0, size: tensor.size * 4 };
  }

  /** Afterwards nothing but `variable` holds its data. */
  #makeOwn(variable: tf.Variable, isWords: boolean): void {
    const took = isWords ? this.#buffers.makeWordsOwn(variable) : this.#buffers.makeOwn(variable);
    if (!took) return;
    this.counts.copies += 1;
    this.counts.copiedBytes += variable.size * 4;
  }

  /** Floats in a buffer that the dispatch does not write: the gradient itself if it is that, else ours. */
  #readable(gradient: tf.Tensor, written: readonly tf.Variable[]): tf.Tensor {
    const isWritten = written.some(({ dataId }) => dataId === gradient.dataId);
    const isUsable = !isWritten && this.#buffers.holdsFloats(gradient);
    return isUsable ? gradient : this.#buffers.copy(gradient);
  }

  #pipelineFor(update: WeightUpdate, width: 1 | 4): GPUComputePipeline {
    const { quantized } = update;
    const variant = `${update.clip.by} ${quantized === null ? width : 'q8'}`;
    const variants = this.#known.get(update.formula) ?? new Map<string, GPUComputePipeline>();
    this.#known.set(update.formula, variants);
    const known = variants.get(variant);
    if (known !== undefined) return known;
    const spec = {
      formula: update.formula,
      state: [...update.state.keys()],
      scalars: Object.keys(update.scalars),
      clip: update.clip.by,
    };
    const pipeline =
      quantized === null
        ? this.#compile(kernelSource({ ...spec, width }))
        : this.#compile(quantizedKernelSource({ ...spec, kinds: quantized.kinds }));
    variants.set(variant, pipeline);
    return pipeline;
  }

  #compile(code: string): GPUComputePipeline {
    const known = this.#pipelines.get(code);
    if (known !== undefined) return known;
    const pipeline = compileKernel(this.#backend.device, code);
    this.#pipelines.set(code, pipeline);
    this.counts.pipelines += 1;
    return pipeline;
  }
}
