// Moments in host memory between steps: uploaded before an update, downloaded after it, and copied on the host while
// the device goes on with the step.
//
// The copies are recorded among the backend's own commands, so an upload costs no submission. What was uploaded stays
// in its upload buffer until it is known that the device did not fail.

import * as tf from '@tensorflow/tfjs-core';

import { SlowlaneError } from '../../../checks/errors.js';
import type { OffloadedState, OffloadedTensor } from '../../../engine/offloaded-state.js';
import { encoderForCopies, tensorOf } from '../../../tfjs/webgpu-backend.js';
import type { BudgetedBackend } from '../budgeted-backend.js';
import { checkCurrent } from '../check-current.js';
import { label } from '../memory/label.js';
import { TensorBuffers } from '../update/tensor-buffers.js';
import { Background } from './background.js';
import { MappedPair } from './mapped-pair.js';
import { copyBack } from './readback.js';
import { Slices } from './slices.js';

export class HostMoments implements OffloadedState {
  readonly backend: BudgetedBackend;
  /** For what the host does beside the device. */
  readonly slices = Slices.beside();
  readonly #buffers: TensorBuffers;
  readonly #background = new Background();
  /** Their downloads are recorded, perhaps not submitted. */
  #leaving: MappedPair[] = [];
  /** Stands for all that is downloaded in this step. */
  #download = {};

  constructor(backend: BudgetedBackend) {
    this.backend = backend;
    this.#buffers = new TensorBuffers(backend.parts);
  }

  get isPending(): boolean {
    return this.#leaving.length > 0 || this.#background.isRunning;
  }

  hold(shape: readonly number[], dtype: 'float32' | 'int32'): OffloadedTensor {
    return new HostMoment(this, shape, dtype);
  }

  startDownloads(): void {
    const pairs = this.#leaving;
    if (pairs.length === 0) return;
    this.#leaving = [];
    const download = this.#download;
    this.#download = {};
    this.backend.flush();
    const submitted = this.backend.errors.judged(download);
    const host = { errors: this.backend.errors, slices: this.slices, background: this.#background };
    this.#background.begin(copyBack(pairs, submitted, host));
  }

  async flush(): Promise<void> {
    this.startDownloads();
    try {
      await this.#background.done();
    } finally {
      this.#background.clearFailure();
    }
  }

  dispose(): void {
    this.#background.stop();
  }

  /** A tensor with the values of `pair`, which the device has from now on. The caller's, or its tidy's. */
  upload(pair: MappedPair, shape: readonly number[], dtype: 'float32' | 'int32'): tf.Tensor {
    const { parts } = this.backend;
    const info = parts.makeTensorInfo([...shape], dtype);
    try {
      // May refuse, or submit what is recorded. The buffer stays a moment when its variable is gone.
      const into = label('moments', () => this.#buffers.of(info));
      const encoder = encoderForCopies(parts);
      pair.handOver(true);
      encoder.copyBufferToBuffer(pair.upload, 0, into, 0, pair.bytes);
    } catch (error) {
      parts.disposeData(info.dataId);
      throw error;
    }
    parts.commandQueueOwnedIds.add(info.dataId);
    return tensorOf(parts, info);
  }

  download(variable: tf.Variable, pair: MappedPair): void {
    this.#leaving.push(pair); // whatever happens now, the host wants its buffers back
    const from = this.#buffers.of(variable);
    const encoder = encoderForCopies(this.backend.parts);
    this.backend.errors.wrote(this.#download);
    encoder.copyBufferToBuffer(from, 0, pair.download, 0, pair.bytes);
    this.backend.parts.commandQueueOwnedIds.add(variable.dataId);
  }
}

class HostMoment implements OffloadedTensor {
  readonly #owner: HostMoments;
  readonly #shape: readonly number[];
  readonly #dtype: 'float32' | 'int32';
  readonly #pair: MappedPair;
  #uploaded: tf.Variable | null = null;

  constructor(owner: HostMoments, shape: readonly number[], dtype: 'float32' | 'int32') {
    this.#owner = owner;
    this.#shape = shape;
    this.#dtype = dtype;
    this.#pair = new MappedPair(4 * tf.util.sizeFromShape([...shape]), owner.backend.hostBuffers);
  }

  upload(name: string): tf.Variable {
    this.#checkHere();
    this.#uploaded = tf.tidy(() => {
      return tf.variable(this.#owner.upload(this.#pair, this.#shape, this.#dtype), false, name);
    });
    return this.#uploaded;
  }

  download(): void {
    const uploaded = this.#uploaded;
    this.#uploaded = null;
    if (uploaded === null) return;
    try {
      this.#owner.download(uploaded, this.#pair);
    } finally {
      uploaded.dispose();
    }
  }

  read(): Float32Array | Int32Array {
    this.#checkHere();
    return this.#view(this.#pair.readable);
  }

  async firstNonFinite(): Promise<number> {
    this.#checkHere();
    const { slices, backend } = this.#owner;
    const found = await slices.firstNonFinite(this.#view(this.#pair.readable) as Float32Array);
    backend.errors.throwIfLost(); // with the device its memory is gone
    return found;
  }

  write(values: Float32Array | Int32Array): void {
    this.#checkHere();
    this.#view(this.#pair.readable).set(values);
    this.#view(this.#pair.writable).set(values);
  }

  dispose(): void {
    this.#uploaded?.dispose();
    this.#uploaded = null;
    this.#pair.destroy();
  }

  #view({ buffer, byteOffset, byteLength }: Uint8Array): Float32Array | Int32Array {
    const length = byteLength / 4;
    if (this.#dtype === 'int32') return new Int32Array(buffer, byteOffset, length);
    return new Float32Array(buffer, byteOffset, length);
  }

  #checkHere(): void {
    const { backend } = this.#owner;
    checkCurrent(backend, { what: 'moments', since: 'they were made', owner: 'optimizer' });
    if (this.#pair.isHere) return;
    throw new SlowlaneError(
      'DEVICE_FAILED',
      'The device did not return all moments after an earlier step. Load the last saved state into a new optimizer.',
    );
  }
}
