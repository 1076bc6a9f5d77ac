// Values of tensors as they are now, copied to host memory in the order of the device's queue: what is recorded later
// does not change them. They take no device memory, and nobody waits for them before they are read.
//
// They outlive a failure of the step that follows, and of the passes before it: what fails there does not write them.

import type * as tf from '@tensorflow/tfjs-core';

import type { BudgetedBackend } from '../budgeted-backend.js';
import { fromDevice } from '../gpu-error.js';
import type { TensorBuffers } from '../update/tensor-buffers.js';

const SCOPES = ['validation', 'out-of-memory', 'internal'] as const;

interface Taken {
  readonly download: GPUBuffer;
  /** Rejects if the device failed to copy. */
  readonly copied: Promise<void>;
  /** Stands for the data that was copied. */
  readonly source: object;
  values: Float32Array | null;
}

export class TakenValues<K> {
  readonly #backend: BudgetedBackend;
  readonly #buffers: TensorBuffers;
  readonly #taken = new Map<K, Taken>();

  constructor(backend: BudgetedBackend, buffers: TensorBuffers) {
    this.#backend = backend;
    this.#buffers = buffers;
  }

  /** Takes the float32 values of all `tensors`, none of them empty. Takes none and throws OUT_OF_MEMORY if the host has no room. */
  take(tensors: ReadonlyMap<K, tf.Tensor>): void {
    const copies: tf.Tensor[] = [];
    const made = new Map<K, GPUBuffer>();
    const { device, hostBuffers, errors } = this.#backend;
    try {
      const sources = [...tensors].map(([key, tensor]) => {
        const floats = this.#buffers.holdsFloats(tensor) ? tensor : this.#buffers.copy(tensor);
        if (floats !== tensor) copies.push(floats);
        return { key, floats, from: this.#buffers.of(floats) };
      });
      this.#backend.flush(); // what writes these tensors comes first
      const { MAP_READ, COPY_DST } = GPUBufferUsage;
      for (const [key, { size }] of tensors) {
        made.set(key, hostBuffers.create(4 * size, MAP_READ | COPY_DST));
      }
      const copied = this.#judged(() => {
        const encoder = device.createCommandEncoder();
        for (const { key, from } of sources) {
          const into = made.get(key) as GPUBuffer;
          into.unmap();
          encoder.copyBufferToBuffer(from, 0, into, 0, into.size);
        }
        device.queue.submit([encoder.finish()]);
      });
      for (const { key, floats } of sources) {
        this.drop(key);
        const download = made.get(key) as GPUBuffer;
        const source = errors.asOfNow(floats.dataId);
        this.#taken.set(key, { download, copied, source, values: null });
      }
    } catch (error) {
      for (const buffer of made.values()) hostBuffers.destroy(buffer);
      throw error;
    } finally {
      for (const copy of copies) copy.dispose();
    }
  }

  /** The values of `key`, valid until they are dropped. Rejects if the device failed. */
  async read(key: K): Promise<Float32Array> {
    const taken = this.#taken.get(key) as Taken;
    if (taken.values === null) {
      const { errors, hostBuffers } = this.#backend;
      await taken.copied;
      await errors.judged(taken.source);
      await errors.orLost(hostBuffers.map(taken.download, GPUMapMode.READ));
      taken.values = new Float32Array(taken.download.getMappedRange());
    }
    return taken.values;
  }

  drop(key: K): void {
    const taken = this.#taken.get(key);
    if (taken === undefined) return;
    this.#backend.hostBuffers.destroy(taken.download);
    this.#taken.delete(key);
  }

  /** Runs `work` in error scopes of its own. The result rejects if they caught something. */
  #judged(work: () => void): Promise<void> {
    const { device } = this.#backend;
    for (const scope of SCOPES) device.pushErrorScope(scope);
    let judged: Promise<void>;
    try {
      work();
    } finally {
      // A scope whose device is lost rejects or stays empty; the loss itself is heard elsewhere.
      const scopes = SCOPES.map(() => device.popErrorScope().catch(() => null));
      judged = Promise.all(scopes).then((errors) => {
        const error = errors.find((found) => found !== null);
        if (error) throw fromDevice(error);
      });
      judged.catch(() => undefined); // `read` throws it
    }
    return judged;
  }
}
