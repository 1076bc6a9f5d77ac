/**
 * Updates weights in place on tfjs's WebGPU backend: one dispatch a weight, no temporaries.
 *
 * The dispatch is recorded into the pass that the backend has open, as its own kernels are: order,
 * submission in batches and deferred disposal stay the backend's, and an update costs no submission.
 *
 * In place means that every tensor sharing the data would change too. So data that anything else holds
 * (a clone, a saved state, a buffer of the caller's) is left as it is, and the variable gets a copy of
 * its own, once: copy on write. A bare `minimize` of Lookahead holds clones of the weights it sees for the
 * first time, so that step copies each of them; `step()` and `callbacks()` capture first and copy none.
 */
import * as tf from '@tensorflow/tfjs-core';
import { SlowlaneError } from '../../errors.js';
import { registerUpdater } from '../../optimizers/updater.js';
import type { WeightUpdate } from '../../optimizers/weight-update.js';
import { type Uniform, type UpdateBackend, checkUpdateBackend } from './update-backend.js';
import { type KernelSpec, bindingsOf, gridFor, kernelSource } from './update-wgsl.js';

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
 * Every optimizer of ours updates in place while `backend` is the current one. Throws ENGINE if it is
 * not the WebGPU backend of tfjs 4.22 or a subclass. `maxWorkgroups` a dimension: default the device's.
 */
export function updateInPlaceOn(
  backend: tf.KernelBackend,
  maxWorkgroups?: number,
): { readonly counts: UpdateCounts } {
  const updates = new InPlaceUpdates(checkUpdateBackend(backend), maxWorkgroups);
  registerUpdater(backend, (update) => updates.run(update));
  return updates;
}

class InPlaceUpdates {
  readonly counts = { dispatches: 0, copies: 0, copiedBytes: 0, pipelines: 0 };
  readonly #backend: UpdateBackend;
  readonly #maxWorkgroups: number;
  /** By their source: two optimizers with one formula share them. */
  readonly #pipelines = new Map<string, GPUComputePipeline>();
  /** By formula and variant, so that a step writes no source. */
  readonly #known = new WeakMap<WeightUpdate['formula'], Map<string, GPUComputePipeline>>();

  constructor(backend: UpdateBackend, maxWorkgroups?: number) {
    this.#backend = backend;
    this.#maxWorkgroups = maxWorkgroups ?? backend.device.limits.maxComputeWorkgroupsPerDimension;
  }

  run(update: WeightUpdate): void {
    const { weight, slots, gradient, takesGradient } = update;
    if (weight.size > 0) {
      this.#checkSize(weight);
      const written = [weight, ...slots.values()];
      for (const variable of written) this.#makeOwn(variable);
      const read = this.#readable(gradient, written);
      this.#dispatch(update, written, read);
      if (read !== gradient) read.dispose();
    }
    if (takesGradient) gradient.dispose();
  }

  #dispatch(update: WeightUpdate, written: readonly tf.Variable[], gradient: tf.Tensor): void {
    const backend = this.#backend;
    const { weight, clip, scalars } = update;
    const width = weight.size % 4 === 0 ? 4 : 1;
    const pipeline = this.#pipelineFor(update, width);
    const count = weight.size / width;
    const [x, y] = gridFor(count, this.#maxWorkgroups);
    const [, ...slots] = written;
    const tensors = [weight, gradient, ...slots];
    if (clip.by === 'scale') tensors.push(clip.scale);
    const bound = tensors.map((tensor) => this.#bind(tensor));
    const numbers: Uniform[] = [{ type: 'uint32', data: [count] }];
    if (clip.by === 'value') numbers.push({ type: 'float32', data: [clip.limit] });
    for (const scalar of Object.values(scalars)) numbers.push({ type: 'float32', data: [scalar] });
    const group = backend.device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: [...bound, backend.makeUniforms(numbers)].map((resource, binding) => ({
        binding,
        resource,
      })),
    });

    // Only now: making a buffer may submit what is recorded, and with it end the pass.
    const pass = this.#openPass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(x, y);
    for (const { dataId } of tensors) backend.commandQueueOwnedIds.add(dataId);
    for (const variable of written) this.#forgetHostCopy(variable);
    this.counts.dispatches += 1;

    backend.dispatchCountInPass += 1;
    const batch = tf.env().getNumber('WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE');
    if (backend.dispatchCountInPass < batch) return;
    backend.endComputePassEncoder();
    backend.submitQueue();
  }

  #openPass(): GPUComputePassEncoder {
    const encoder = this.#encoder();
    this.#backend.computePassEncoder ??= encoder.beginComputePass();
    return this.#backend.computePassEncoder;
  }

  #encoder(): GPUCommandEncoder {
    this.#backend.ensureCommandEncoderReady();
    const { commandEncoder } = this.#backend;
    if (commandEncoder === null) throw new Error('The WebGPU backend has no command encoder.');
    return commandEncoder;
  }

  /** Exactly the tensor's elements, whatever the size of its buffer. */
  #bind(tensor: tf.Tensor): GPUBufferBinding {
    return { buffer: this.#bufferOf(tensor), offset: 0, size: tensor.size * 4 };
  }

  #bufferOf(tensor: tf.TensorInfo): GPUBuffer {
    // First, for it brings data of another backend here.
    const data = this.#backend.tensorMap.get(tensor.dataId);
    this.#backend.uploadToGPU(tensor.dataId);
    if (!data.resource) throw new Error('The WebGPU backend has no buffer of this tensor.');
    return data.resource;
  }

  /** Afterwards nothing but `variable` holds its data. */
  #makeOwn(variable: tf.Variable): void {
    if (variable.dtype !== 'float32') {
      throw new TypeError(
        `Only float32 variables can be trained; '${variable.name}' is ${variable.dtype}.`,
      );
    }
    const { external, dtype } = this.#backend.tensorMap.get(variable.dataId);
    const isOwn = this.#backend.refCount(variable.dataId) === 1 && external !== true;
    if (isOwn && dtype === 'float32') return;
    const copy = this.#copy(variable);
    variable.assign(copy);
    copy.dispose();
    this.counts.copies += 1;
    this.counts.copiedBytes += variable.size * 4;
  }

  /** Floats in a buffer that the dispatch does not write: the gradient itself if it is that, else ours. */
  #readable(gradient: tf.Tensor, written: readonly tf.Variable[]): tf.Tensor {
    const isWritten = written.some(({ dataId }) => dataId === gradient.dataId);
    const { dtype } = this.#backend.tensorMap.get(gradient.dataId);
    return isWritten || dtype !== 'float32' ? this.#copy(gradient) : gradient;
  }

  /** The same numbers as float32 in a buffer of their own; the caller's. */
  #copy(tensor: tf.Tensor): tf.Tensor {
    const backend = this.#backend;
    if (backend.tensorMap.get(tensor.dataId).dtype !== 'float32') return toFloats(tensor);
    const from = this.#bufferOf(tensor);
    const copy = backend.makeTensorInfo(tensor.shape, 'float32');
    try {
      const to = this.#bufferOf(copy);
      // Only now: making a buffer may submit what is recorded.
      const encoder = this.#encoder();
      backend.endComputePassEncoder();
      encoder.copyBufferToBuffer(from, 0, to, 0, tensor.size * 4);
    } catch (error) {
      backend.disposeData(copy.dataId);
      throw error;
    }
    backend.commandQueueOwnedIds.add(tensor.dataId);
    backend.commandQueueOwnedIds.add(copy.dataId);
    return tf.engine().makeTensorFromTensorInfo(copy, backend);
  }

  /**
   * `data()` leaves a copy on the host, which would be out of date now, and a `data()` that is under way
   * would leave one later. So these data never keep one: each `data()` reads the device.
   */
  #forgetHostCopy(variable: tf.Variable): void {
    Object.defineProperty(this.#backend.tensorMap.get(variable.dataId), 'values', NEVER_KEPT);
  }

  #pipelineFor(update: WeightUpdate, width: 1 | 4): GPUComputePipeline {
    const variant = `${update.clip.by} ${width}`;
    const variants = this.#known.get(update.formula) ?? new Map<string, GPUComputePipeline>();
    this.#known.set(update.formula, variants);
    const known = variants.get(variant);
    if (known !== undefined) return known;
    const pipeline = this.#compile({
      formula: update.formula,
      slots: [...update.slots.keys()],
      scalars: Object.keys(update.scalars),
      clip: update.clip.by,
      width,
    });
    variants.set(variant, pipeline);
    return pipeline;
  }

  #compile(spec: KernelSpec): GPUComputePipeline {
    const { device } = this.#backend;
    const code = kernelSource(spec);
    const known = this.#pipelines.get(code);
    if (known !== undefined) return known;
    const layout = device.createBindGroupLayout({
      entries: bindingsOf(spec).map((type, binding) => ({
        binding,
        visibility: COMPUTE_STAGE,
        buffer: { type },
      })),
    });
    const pipeline = device.createComputePipeline({
      layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module: device.createShaderModule({ code }), entryPoint: 'update' },
    });
    this.#pipelines.set(code, pipeline);
    this.counts.pipelines += 1;
    return pipeline;
  }

  #checkSize(weight: tf.Variable): void {
    const needBytes = weight.size * 4;
    const { maxStorageBufferBindingSize: haveBytes } = this.#backend.device.limits;
    if (needBytes <= haveBytes) return;
    throw new SlowlaneError(
      'ENGINE',
      `'${weight.name}' has ${needBytes} bytes; a shader of this device can read ${haveBytes} at once. ` +
        `Split the weight.`,
      { needBytes, haveBytes, weight: weight.name },
    );
  }
}

/** A cast alone may leave the whole numbers in their buffer. */
function toFloats(tensor: tf.Tensor): tf.Tensor {
  return tf.tidy(() => tf.mul(tf.cast(tensor, 'float32'), tf.scalar(1)));
}

/** GPUShaderStage.COMPUTE, a constant of the specification. */
const COMPUTE_STAGE = 4;

/** One object, because an accessor may be defined anew only as what it is. */
const NEVER_KEPT: PropertyDescriptor = { get: () => null, set: () => undefined };
