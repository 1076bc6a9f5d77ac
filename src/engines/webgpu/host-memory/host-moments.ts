/**
 * Moments that wait in host memory between steps: uploaded before an update, downloaded after it, and brought
 * round on the host while the device goes on with the step.
 *
 * The copies are recorded among the backend's own commands, so lending costs no submission. What was uploaded
 * stays in its upload buffer until the device is known not to have failed.
 */
import * as tf from '@tensorflow/tfjs-core';
import { SlowlaneError } from '../../../checks/errors.js';
import { type OffloadedTensor, type OffloadedState } from '../../../engine/offloaded-state.js';
import { checkCurrent } from '../check-current.js';
import { MappedPair } from './mapped-pair.js';
import { Readback } from './readback.js';
import { label } from '../memory/label.js';
import type { BudgetedBackend } from '../budgeted-backend.js';
import { TensorBuffers } from '../update/tensor-buffers.js';
import {
  encoderForCopies,
  webgpuParts,
  type WebGPUBackendParts,
} from '../../../tfjs/webgpu-backend.js';

export class HostMoments implements OffloadedState {
  readonly #backend: BudgetedBackend;
  /** The same, where its own commands are recorded. */
  readonly #recorder: WebGPUBackendParts;
  readonly #buffers: TensorBuffers;
  readonly #readback: Readback<MappedPair>;
  /** Their way down is recorded, perhaps not submitted. */
  #leaving: MappedPair[] = [];
  /** Stands for what comes down in this step. */
  #descent = {};

  constructor(backend: BudgetedBackend) {
    this.#backend = backend;
    this.#recorder = webgpuParts(backend);
    this.#buffers = new TensorBuffers(this.#recorder);
    const hooks = { took: () => undefined, over: () => undefined };
    this.#readback = new Readback(backend.errors, hooks);
  }

  get isPending(): boolean {
    return this.#leaving.length > 0 || this.#readback.isRunning;
  }

  hold(shape: readonly number[], dtype: 'float32' | 'int32'): OffloadedTensor {
    return new HostMoment(shape, dtype, {
      backend: this.#backend,
      upload: (pair, kind) => this.#upload(pair, kind),
      download: (variable, pair) => this.#download(variable, pair),
    });
  }

  turn(): void {
    const pieces = this.#leaving;
    if (pieces.length === 0) return;
    this.#leaving = [];
    const descent = this.#descent;
    this.#descent = {};
    this.#backend.flush();
    const submitted = this.#backend.errors.judged(descent);
    this.#readback.begin({ pieces, submitted, comesDown: true });
  }

  async flush(): Promise<void> {
    this.turn();
    try {
      await this.#readback.done();
    } finally {
      this.#readback.clearFailure();
    }
  }

  dispose(): void {
    this.#readback.stop();
  }

  #upload(pair: MappedPair, { shape, dtype }: TensorKind): tf.Tensor {
    const backend = this.#recorder;
    const info = backend.makeTensorInfo([...shape], dtype);
    try {
      // May refuse, or submit what is recorded. Also once its variable is gone it is a moment.
      const into = label('moments', () => this.#buffers.of(info));
      const encoder = encoderForCopies(backend);
      pair.handOver(true);
      encoder.copyBufferToBuffer(pair.upload, 0, into, 0, pair.bytes);
    } catch (error) {
      backend.disposeData(info.dataId);
      throw error;
    }
    backend.commandQueueOwnedIds.add(info.dataId);
    return tf.engine().makeTensorFromTensorInfo(info, this.#backend);
  }

  #download(variable: tf.Variable, pair: MappedPair): void {
    this.#leaving.push(pair); // whatever happens now, the host wants its buffers back
    const from = this.#buffers.of(variable);
    const encoder = encoderForCopies(this.#recorder);
    this.#backend.errors.wrote(this.#descent);
    encoder.copyBufferToBuffer(from, 0, pair.download, 0, pair.bytes);
    this.#recorder.commandQueueOwnedIds.add(variable.dataId);
  }
}

interface TensorKind {
  readonly shape: readonly number[];
  readonly dtype: 'float32' | 'int32';
}

interface Ways {
  readonly backend: BudgetedBackend;
  /** The pair is handed over; the tensor is the caller's, or its tidy's. */
  upload(pair: MappedPair, kind: TensorKind): tf.Tensor;
  download(variable: tf.Variable, pair: MappedPair): void;
}

class HostMoment implements OffloadedTensor {
  readonly #kind: TensorKind;
  readonly #ways: Ways;
  readonly #pair: MappedPair;
  #lent: tf.Variable | null = null;

  constructor(shape: readonly number[], dtype: 'float32' | 'int32', ways: Ways) {
    this.#kind = { shape, dtype };
    this.#ways = ways;
    this.#pair = new MappedPair(4 * tf.util.sizeFromShape([...shape]), ways.backend.hostBuffers);
  }

  lend(name: string): tf.Variable {
    this.#checkHere();
    this.#lent = tf.tidy(() => {
      return tf.variable(this.#ways.upload(this.#pair, this.#kind), false, name);
    });
    return this.#lent;
  }

  takeBack(): void {
    const lent = this.#lent;
    this.#lent = null;
    if (lent === null) return;
    try {
      this.#ways.download(lent, this.#pair);
    } finally {
      lent.dispose();
    }
  }

  read(): Float32Array | Int32Array {
    this.#checkHere();
    return this.#view(this.#pair.readable);
  }

  write(values: Float32Array | Int32Array): void {
    this.#checkHere();
    this.#view(this.#pair.readable).set(values);
    this.#view(this.#pair.writable).set(values);
  }

  dispose(): void {
    this.#lent?.dispose();
    this.#lent = null;
    this.#pair.destroy(this.#ways.backend.hostBuffers);
  }

  #view({ buffer, byteOffset, byteLength }: Uint8Array): Float32Array | Int32Array {
    const length = byteLength / 4;
    if (this.#kind.dtype === 'int32') return new Int32Array(buffer, byteOffset, length);
    return new Float32Array(buffer, byteOffset, length);
  }

  #checkHere(): void {
    const { backend } = this.#ways;
    checkCurrent(backend, {
      what: 'moments',
      since: 'they were made',
      owner: 'optimizer',
    });
    if (this.#pair.isHere) return;
    throw new SlowlaneError(
      'DEVICE_FAILED',
      'The device did not give all moments back after an earlier step. Load the last saved state into a new optimizer.',
    );
  }
}
