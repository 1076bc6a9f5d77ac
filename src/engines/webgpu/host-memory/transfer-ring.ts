// A few mapped pairs through which plain host memory goes to the device and back: the only host memory that the device
// reaches. How much there is does not grow with what goes through.

import type { DeviceErrors } from '../device-errors.js';
import type { HostBuffers } from './host-buffers.js';
import { MappedPair } from './mapped-pair.js';
import type { Slices } from './slices.js';

export class TransferRing {
  readonly #buffers: HostBuffers;
  readonly #errors: DeviceErrors;
  readonly #here: MappedPair[] = [];
  /** Settle, well or not, when the device has given a pair back. */
  readonly #away = new Map<MappedPair, Promise<unknown>>();
  #pairBytes = 0;

  constructor(buffers: HostBuffers, errors: DeviceErrors) {
    this.#buffers = buffers;
    this.#errors = errors;
  }

  /** Host memory of all pairs. */
  get bytes(): number {
    return this.#pairs().reduce((sum, { bytes }) => sum + 2 * bytes, 0);
  }

  /** Makes room for `count` pieces of `bytes` at a time. Changes nothing and throws OUT_OF_MEMORY if the system has none. */
  reserve(count: number, bytes: number): void {
    const pairBytes = Math.max(bytes, this.#pairBytes);
    const kept = this.#pairs().filter((pair) => pair.bytes === pairBytes).length;
    const made: MappedPair[] = [];
    try {
      while (kept + made.length < count) made.push(new MappedPair(pairBytes, this.#buffers));
    } catch (error) {
      for (const pair of made) pair.destroy();
      throw error;
    }
    this.#pairBytes = pairBytes;
    for (const pair of this.#here.splice(0)) this.#keep(pair);
    this.#here.push(...made);
  }

  /** A pair for one piece. Waits until the device gives one back; null if it has none to give back. */
  async take(): Promise<MappedPair | null> {
    for (;;) {
      const pair = this.#here.shift();
      if (pair !== undefined) return pair;
      if (this.#away.size === 0) return null;
      await Promise.race(this.#away.values());
    }
  }

  /** `pair` was taken and did not get away. */
  putBack(pair: MappedPair): void {
    if (pair.isHere) this.#keep(pair);
    else pair.destroy();
  }

  /**
   * `pair` was handed over to commands that are submitted. Resolves when it is back; what was downloaded is copied `into`
   * plain memory, if there is any. Rejects, and copies nothing, if the device failed (`submitted` rejects).
   */
  comesBack(
    pair: MappedPair,
    submitted: Promise<void>,
    into: Uint8Array | null,
    slices: Slices,
  ): Promise<void> {
    const back = this.#return(pair, submitted, into, slices);
    const settled = back.catch(() => undefined);
    this.#away.set(pair, settled);
    return back;
  }

  /** Frees all pairs, now. What is still to come back is not wanted any more. */
  release(): void {
    this.#pairBytes = 0;
    for (const pair of this.#pairs()) pair.destroy();
    this.#here.length = 0;
    this.#away.clear();
  }

  async #return(
    pair: MappedPair,
    submitted: Promise<void>,
    into: Uint8Array | null,
    slices: Slices,
  ): Promise<void> {
    const [mapped, done] = await Promise.allSettled([pair.map(), submitted]);
    if (!this.#away.has(pair)) return; // released
    try {
      if (done.status === 'rejected') throw done.reason;
      if (mapped.status === 'rejected') throw mapped.reason;
      if (into !== null) await slices.copy(pair.readable.subarray(0, into.length), into);
    } catch (error) {
      throw await this.#errors.named(error);
    } finally {
      if (this.#away.delete(pair)) {
        if (mapped.status === 'fulfilled') this.#keep(pair);
        else pair.destroy();
      }
    }
  }

  /** Unless it is too small by now. */
  #keep(pair: MappedPair): void {
    if (pair.bytes === this.#pairBytes) this.#here.push(pair);
    else pair.destroy();
  }

  #pairs(): MappedPair[] {
    return [...this.#here, ...this.#away.keys()];
  }
}
