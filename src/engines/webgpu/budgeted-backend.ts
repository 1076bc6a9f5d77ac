// tfjs's WebGPU backend with the errors heard, the budget kept and the freed memory freed.
//
// Not covered by the budget check: `GPUTexture`s that `fromPixels` makes in a browser. They are counted
// (four times over, as tfjs does), so that buffers leave room for them, but made without asking.

import { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';

import { activityNow } from '../../tfjs/activity.js';
import { type DeviceMemory, type Holdings, breakDown } from './memory/breakdown.js';
import { BufferPool } from './memory/buffer-pool.js';
import { DeviceErrors } from './device-errors.js';
import type { GuardedBackend, Journal } from './guarded-kernels.js';
import { HostBuffers } from './host-memory/host-buffers.js';
import type { Label, LabellingBackend } from './memory/label.js';
import { checkInternals, internalsOf, isPending, stateOf } from '../../tfjs/webgpu-backend.js';
import { checkCanReadSync } from './read-sync.js';
import { type TensorData, uploadValues } from './memory/upload-values.js';
import type { Breakdown } from './memory/vram-budget-error.js';

/** Freed buffers that this many steps did not use are destroyed. */
const IDLE_STEPS = 2;
/** Without training there are no steps: every so many submissions count as one. */
const SUBMISSIONS_PER_STEP = 256;
/** A staging buffer of this size or less is kept for the next read: a loss, an accuracy. */
const POOLED_READ_BYTES = 64 * 1024;

type Run = WebGPUBackend['runWebGPUProgram'];

export class BudgetedBackend extends WebGPUBackend implements GuardedBackend, LabellingBackend {
  readonly budgetBytes: number;
  readonly hostBuffers: HostBuffers;
  readonly errors: DeviceErrors;
  journal: Journal | null = null;
  ambientLabel: Label | null = null;
  readonly pool: BufferPool;
  readonly #dataLabels = new WeakMap<object, Label>();
  /** Of the program that is being recorded: the one of its data that it writes. */
  #programOutput: object | null = null;
  #wasRecording = false;
  #submissions = 0;
  #isStopped = false;

  constructor(device: GPUDevice, adapterInfo: GPUAdapterInfo, budgetBytes: number) {
    super(device, adapterInfo);
    checkInternals(this, tf.engine());
    this.budgetBytes = budgetBytes;
    this.hostBuffers = new HostBuffers(device);
    this.errors = new DeviceErrors(device);
    this.pool = new BufferPool({
      device,
      budgetBytes,
      flush: () => this.flush(),
      isPending: (bytes) => isPending(this, bytes),
      currentCategory: () =>
        this.ambientLabel ?? (activityNow() === 'backward' ? 'gradients' : 'activations'),
      otherBytes: () => this.textureManager.numBytesAllocated,
      breakdown: () => this.breakdown(),
      report: (error) => this.errors.report(error),
    });
    internalsOf(this).bufferManager = this.pool;
    this.#watchRecorded();
  }

  /** Bytes of all buffers now and at most, and what they are for. */
  deviceMemory(): DeviceMemory {
    return {
      allocatedBytes: this.pool.numBytesAllocated + this.textureManager.numBytesAllocated,
      usedBytes: this.pool.numBytesUsed + this.textureManager.numBytesUsed,
      peakBytes: this.pool.peakBytes,
      budgetBytes: this.budgetBytes,
      hostBytes: this.hostBuffers.bytes,
      by: this.breakdown(),
    };
  }

  override memory(): ReturnType<WebGPUBackend['memory']> {
    const { usedBytes, allocatedBytes } = this.deviceMemory();
    return {
      ...super.memory(),
      numBytesInGPU: usedBytes,
      numBytesAllocatedInGPU: allocatedBytes,
    };
  }

  breakdown(): Breakdown {
    return breakDown(this.holdings());
  }

  holdings(): Holdings {
    return {
      used: this.pool.used,
      allocatedBytes: this.pool.numBytesAllocated,
      otherBytes: this.textureManager.numBytesAllocated,
      variables: Object.values(tf.engine().registeredVariables),
      labelOf: (tensor) => this.#dataLabels.get(tensor) ?? this.#dataLabels.get(tensor.dataId),
      bufferOf: (dataId) => this.#bufferOf(dataId),
    };
  }

  /** Submits what is recorded; what was disposed meanwhile is free afterwards. */
  flush(): void {
    if (internalsOf(this).commandEncoder === null) return;
    this.endComputePassEncoder();
    this.submitQueue();
  }

  /**
   * Submits commands that were recorded without the backend, after all that it has recorded; `written` is
   * the data that they write. Resolves once it is known that they did not fail.
   */
  submitOwn(commands: GPUCommandBuffer, written: Iterable<object>): Promise<void> {
    this.flush();
    const all = {};
    for (const data of [all, ...written]) this.errors.wrote(data);
    this.queue.submit([commands]);
    this.errors.rotate();
    return this.errors.judged(all);
  }

  /** Destroys all free buffers. */
  trim(): void {
    this.pool.trim();
  }

  labelTensor(label: Label, tensor: tf.Tensor): void {
    if (tensor instanceof tf.Variable) this.#dataLabels.set(tensor, label);
    else {
      this.#dataLabels.set(tensor.dataId, label);
      const buffer = this.#bufferOf(tensor.dataId);
      if (buffer !== undefined) this.pool.relabel(buffer, label);
    }
  }

  kernelStarts(): void {
    this.errors.throwIfAny();
    // A step begins where tfjs begins to record for a gradient.
    const isRecording = stateOf(tf.engine()).gradientDepth > 0;
    const isStep = isRecording && !this.#wasRecording;
    if (isStep || this.#submissions >= SUBMISSIONS_PER_STEP) this.#tick();
    this.#wasRecording = isRecording;
  }

  override submitQueue(): void {
    super.submitQueue();
    this.#watchRecorded();
    this.errors.rotate();
    this.#submissions += 1;
  }

  override uploadToGPU(dataId: object): void {
    this.errors.throwIfSuspect(dataId);
    const data = this.tensorMap.get(dataId);
    if (data.resource != null) return;
    if (data.values == null) super.uploadToGPU(dataId);
    else this.#uploadValues(data);
    this.errors.wrote(dataId);
    const label = this.#dataLabels.get(dataId);
    if (label !== undefined) this.pool.relabel(data.resource as unknown as GPUBuffer, label);
  }

  override runWebGPUProgram(...[program, inputs, dtype, uniforms, output]: Parameters<Run>) {
    this.errors.throwIfAny();
    const into = output ?? this.makeTensorInfo(program.outputShape, dtype);
    this.#programOutput = into.dataId;
    try {
      return super.runWebGPUProgram(program, inputs, dtype, uniforms, into);
    } catch (error) {
      // In a kernel its journal does this.
      if (output === undefined && this.journal === null) this.disposeData(into.dataId);
      throw error;
    } finally {
      this.#programOutput = null;
    }
  }

  override async getBufferData(buffer: GPUBuffer): Promise<ArrayBuffer> {
    const { size } = buffer;
    const usage = GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ;
    const staging = this.pool.acquireBuffer(size, usage);
    try {
      this.ensureCommandEncoderReady();
      this.endComputePassEncoder();
      internalsOf(this).commandEncoder?.copyBufferToBuffer(buffer, 0, staging, 0, size);
      this.submitQueue();
      await this.#orLost(staging.mapAsync(GPUMapMode.READ));
      const values = staging.getMappedRange().slice(0);
      staging.unmap();
      return values;
    } finally {
      if (!this.#isStopped) this.pool.releaseBuffer(staging, size <= POOLED_READ_BYTES);
    }
  }

  override async read(dataId: object): Promise<tf.BackendValues> {
    this.errors.throwIfAny();
    this.errors.throwIfSuspect(dataId);
    const data = this.tensorMap.has(dataId) ? this.tensorMap.get(dataId) : null;
    const isOnHost = data?.values != null;
    if (isOnHost) return super.read(dataId);
    // Stands for the copy that is read: the commands that make it can fail too.
    const copy = {};
    this.errors.wrote(copy);
    const values = await super.read(dataId);
    try {
      await this.errors.settled();
      this.errors.throwIfSuspect(copy);
      this.errors.throwIfSuspect(dataId);
    } catch (error) {
      // tfjs keeps what was read for the next time.
      if (data !== null) data.values = null as unknown as tf.BackendValues;
      throw error;
    }
    return values;
  }

  override readSync(dataId: object): tf.BackendValues {
    this.errors.throwIfAny();
    this.errors.throwIfSuspect(dataId);
    if (this.tensorMap.get(dataId).values == null) checkCanReadSync();
    return super.readSync(dataId);
  }

  override write(values: tf.BackendValues, shape: number[], dtype: tf.DataType): object {
    const dataId = super.write(values, shape, dtype);
    this.#note(dataId, 1);
    return dataId;
  }

  override incRef(dataId: object): void {
    super.incRef(dataId);
    this.#note(dataId, 1);
  }

  override decRef(dataId: object): void {
    super.decRef(dataId);
    this.#note(dataId, -1);
  }

  override disposeData(dataId: object, force?: boolean): boolean {
    this.#note(dataId, -1);
    return super.disposeData(dataId, force);
  }

  /** Destroys the device too: everything pending and everything after is a GpuLostError. */
  override dispose(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.errors.stop();
    super.dispose();
    this.device.destroy();
  }

  #uploadValues(data: TensorData): void {
    const staged = uploadValues(data, this.pool);
    if (staged === null) return;
    this.ensureCommandEncoderReady();
    this.endComputePassEncoder();
    const { commandEncoder, stagingPendingDisposal } = internalsOf(this);
    commandEncoder?.copyBufferToBuffer(staged.from, 0, staged.into, 0, staged.into.size);
    stagingPendingDisposal.push(staged.from);
  }

  async #orLost<T>(wait: Promise<T>): Promise<T> {
    try {
      return await Promise.race([wait, this.errors.lost]);
    } catch (error) {
      // A loss rejects what waits before it is announced itself.
      await this.errors.settled();
      throw error;
    }
  }

  /** Data named in recorded commands by others than `runWebGPUProgram` is taken for written. */
  #watchRecorded(): void {
    const recorded = internalsOf(this).commandQueueOwnedIds;
    const add = recorded.add.bind(recorded);
    recorded.add = (dataId) => {
      if (this.#programOutput === null || this.#programOutput === dataId) this.errors.wrote(dataId);
      return add(dataId);
    };
  }

  #bufferOf(dataId: object): GPUBuffer | undefined {
    // `get` would bring data of another backend here.
    const resource = this.tensorMap.has(dataId) ? this.tensorMap.get(dataId).resource : undefined;
    return resource instanceof GPUBuffer ? resource : undefined;
  }

  #note(dataId: object, references: number): void {
    if (this.journal === null) return;
    this.journal.set(dataId, (this.journal.get(dataId) ?? 0) + references);
  }

  #tick(): void {
    this.#submissions = 0;
    this.pool.tick(IDLE_STEPS);
  }
}
