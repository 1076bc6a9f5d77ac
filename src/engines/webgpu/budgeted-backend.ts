// tfjs's WebGPU backend with a hard memory budget, thrown device errors and a pool that gives memory back.
//
// Not covered by the budget check: `GPUTexture`s that `fromPixels` makes in a browser. They are counted
// (four times over, as tfjs does), so that buffers leave room for them, but made without asking.

import { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';

import { SlowlaneError } from '../../checks/errors.js';
import { activityNow, checkEngineState, isRecording } from '../../tfjs/engine-state.js';
import { allVariables } from '../../tfjs/variables.js';
import {
  bufferOf,
  encoderForCopies,
  isPending,
  watchRecorded,
  webgpuParts,
} from '../../tfjs/webgpu-backend.js';
import { DeviceErrors } from './device-errors.js';
import { type GuardedBackend, type Journal, noteReferences } from './guarded-kernels.js';
import { HostBuffers } from './host-memory/host-buffers.js';
import { breakDown, type DeviceMemory, type Holdings } from './memory/breakdown.js';
import { BufferPool } from './memory/buffer-pool.js';
import type { DeviceBytes } from './memory/device-bytes.js';
import type { Label, LabellingBackend } from './memory/label.js';
import { uploadValues } from './memory/upload-values.js';
import { mapped } from './waiting.js';

/** Freed buffers that this many steps did not use are destroyed. */
const IDLE_STEPS = 2;
/** Without training there are no steps: so many submissions count as one. */
const SUBMISSIONS_PER_STEP = 256;
/** A staging buffer of this size or less is kept for the next read: a loss, an accuracy. */
const POOLED_READ_BYTES = 64 * 1024;

type Run = WebGPUBackend['runWebGPUProgram'];

export class BudgetedBackend extends WebGPUBackend implements GuardedBackend, LabellingBackend {
  readonly budgetBytes: number;
  readonly hostBuffers: HostBuffers;
  readonly errors: DeviceErrors;
  readonly pool: BufferPool;
  journal: Journal | null = null;
  ambientLabel: Label | null = null;
  /** This backend with tfjs's private parts. */
  readonly parts = webgpuParts(this);
  /** By variable, which keeps its label when it is assigned a new value; by data for other tensors. */
  readonly #deviceBytes: DeviceBytes;
  readonly #labels = new WeakMap<object, Label>();
  /** The data that the program being recorded writes. */
  #programOutput: object | null = null;
  #wasRecording = false;
  #submissions = 0;
  #isStopped = false;

  constructor(
    device: GPUDevice,
    adapterInfo: GPUAdapterInfo,
    budgetBytes: number,
    deviceBytes: DeviceBytes,
  ) {
    super(device, adapterInfo);
    checkEngineState();
    this.budgetBytes = budgetBytes;
    this.#deviceBytes = deviceBytes;
    this.hostBuffers = new HostBuffers(device);
    this.errors = new DeviceErrors(device);
    this.#prepareForDestroy();
    this.pool = new BufferPool({
      device,
      budgetBytes,
      deviceBytes,
      flush: () => this.flush(),
      isPending: (bytes) => isPending(this.parts, bytes),
      currentCategory: () =>
        this.ambientLabel ?? (activityNow() === 'backward' ? 'gradients' : 'activations'),
      otherBytes: () => this.textureManager.numBytesAllocated,
      breakdown: () => breakDown(this.holdings()),
      report: (error) => this.errors.fail(error),
    });
    this.parts.bufferManager = this.pool;
    this.#watchRecorded();
  }

  /** Bytes of all buffers now and at most, and what they are for. */
  deviceMemory(): DeviceMemory {
    const { bytes } = this.#deviceBytes;
    return {
      allocatedBytes: bytes + this.textureManager.numBytesAllocated,
      addedBytes: bytes - this.pool.numBytesAllocated,
      usedBytes: this.pool.numBytesUsed + this.textureManager.numBytesUsed,
      peakBytes: this.pool.peakBytes,
      budgetBytes: this.budgetBytes,
      hostBytes: this.hostBuffers.bytes,
      by: breakDown(this.holdings()),
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

  holdings(): Holdings {
    return {
      used: this.pool.used,
      allocatedBytes: this.pool.numBytesAllocated,
      otherBytes: this.textureManager.numBytesAllocated,
      variables: allVariables(),
      labelOf: (tensor) => this.#labels.get(tensor) ?? this.#labels.get(tensor.dataId),
      bufferOf: (dataId) => bufferOf(this.parts, dataId),
    };
  }

  labelTensor(label: Label, tensor: tf.Tensor): void {
    if (tensor instanceof tf.Variable) this.#labels.set(tensor, label);
    else this.labelData(label, tensor.dataId);
  }

  labelData(label: Label, dataId: object): void {
    this.#labels.set(dataId, label);
    const buffer = bufferOf(this.parts, dataId);
    if (buffer !== undefined) this.pool.relabel(buffer, label);
  }

  /** Submits the recorded commands; disposed data that they use is free afterwards. */
  flush(): void {
    if (this.parts.commandEncoder === null) return;
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

  kernelStarts(): void {
    this.errors.throwIfAny();
    // A step begins where tfjs begins to record for a gradient.
    const isStep = isRecording() && !this.#wasRecording;
    if (isStep || this.#submissions >= SUBMISSIONS_PER_STEP) {
      this.#submissions = 0;
      this.pool.tick(IDLE_STEPS);
    }
    this.#wasRecording = isRecording();
  }

  override submitQueue(): void {
    super.submitQueue();
    this.#watchRecorded();
    this.errors.rotate();
    this.#submissions += 1;
  }

  override uploadToGPU(dataId: object): void {
    this.errors.throwIfSuspect(dataId);
    const data = this.parts.tensorMap.get(dataId);
    if (data.resource != null) return;
    if (data.values == null) super.uploadToGPU(dataId);
    else uploadValues(this.parts, this.pool, data);
    this.errors.wrote(dataId);
    const label = this.#labels.get(dataId);
    const buffer = bufferOf(this.parts, dataId);
    if (label !== undefined && buffer !== undefined) this.pool.relabel(buffer, label);
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
      encoderForCopies(this.parts).copyBufferToBuffer(buffer, 0, staging, 0, size);
      this.submitQueue();
      await this.errors.orLost(mapped(this.device, staging, GPUMapMode.READ));
      const values = staging.getMappedRange().slice(0);
      staging.unmap();
      return values;
    } finally {
      this.pool.releaseBuffer(staging, size <= POOLED_READ_BYTES);
    }
  }

  override async read(dataId: object): Promise<tf.BackendValues> {
    this.errors.throwIfAny();
    this.errors.throwIfSuspect(dataId);
    const { tensorMap } = this.parts;
    const data = tensorMap.has(dataId) ? tensorMap.get(dataId) : null;
    if (data?.values != null) return super.read(dataId);
    try {
      return await this.errors.judgeRead(dataId, () => super.read(dataId));
    } catch (error) {
      // tfjs keeps the values for the next read.
      if (data !== null) data.values = null;
      throw error;
    }
  }

  override readSync(dataId: object): tf.BackendValues {
    this.errors.throwIfAny();
    this.errors.throwIfSuspect(dataId);
    if (this.parts.tensorMap.get(dataId).values == null) checkCanReadSync();
    return super.readSync(dataId);
  }

  override write(values: tf.BackendValues, shape: number[], dtype: tf.DataType): object {
    const dataId = super.write(values, shape, dtype);
    noteReferences(this, dataId, 1);
    return dataId;
  }

  override incRef(dataId: object): void {
    super.incRef(dataId);
    noteReferences(this, dataId, 1);
  }

  override decRef(dataId: object): void {
    super.decRef(dataId);
    noteReferences(this, dataId, -1);
  }

  override disposeData(dataId: object, force?: boolean): boolean {
    noteReferences(this, dataId, -1);
    return super.disposeData(dataId, force);
  }

  /**
   * Destroys the device too, once it has given back the slow weights that it has: everything pending and everything after is a
   * GpuLostError.
   */
  override dispose(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.errors.lose('stopped');
    const end = () => {
      super.dispose(); // its buffers too, which a sync under way needs
      this.device.destroy();
    };
    const back = this.hostBuffers.allBack();
    if (back === null) end();
    else void back.then(end);
  }

  /** No call may use a device that is to be destroyed, but what it has of the slow weights comes back first. */
  #prepareForDestroy(): void {
    const { device } = this;
    const destroy = device.destroy.bind(device);
    let isEnding = false;
    device.destroy = () => {
      if (isEnding) return;
      isEnding = true;
      this.errors.lose('destroyed');
      const back = this.hostBuffers.allBack();
      if (back === null) destroy();
      else void back.then(destroy);
    };
  }

  /** Data that recorded commands name counts as written, except the inputs of a program. */
  #watchRecorded(): void {
    watchRecorded(this.parts, (dataId) => {
      if (this.#programOutput === null || this.#programOutput === dataId) this.errors.wrote(dataId);
    });
  }
}

/** tfjs can read from the device without waiting in a browser alone, through a canvas. */
function checkCanReadSync(): void {
  if ('OffscreenCanvas' in globalThis) return;
  throw new SlowlaneError(
    'UNSUPPORTED',
    'WebGPU in Node cannot read a tensor synchronously, as dataSync(), arraySync() and print() do, or moving it to ' +
      'another backend. Use await tensor.data() or await tensor.array().',
  );
}
