// One sync: every chunk once, in layout order, pull → blend → push.
//
// The chunks are pipelined over the ring of staging slots: while workers blend some, the main thread
// pulls the next and pushes the ones before. Pushes keep the order of the chunks, since a device may
// have to assemble a weight from its parts.
//
// If it breaks off (the device fails), `run` may be called again: chunks that are blended are not
// blended a second time, their result is pushed from the store: as it is stored, so what rounding took is
// not carried on then.

import { beginChunk, type BlendRun } from '../../workers/blend.js';
import type { Device, DeviceWriter } from '../engine/device.js';
import { type StoredChunk, weightOf } from './chunk-memory.js';
import type { Part } from '../slow/layout.js';
import type { Blender } from './blender.js';
import type { Storable, StoreClock } from '../slow/slow-store.js';

export interface SyncTools {
  readonly device: Device;
  readonly blender: Blender;
  readonly clock: StoreClock;
}

export class Sync<W extends Storable> {
  readonly #chunks: readonly StoredChunk<W>[];
  readonly #stepSizeOf: (item: W) => number;
  readonly #round: number;
  readonly #blended = new Set<StoredChunk<W>>();

  /**
   * `stepSizeOf` gives α; it must not change its answer, since a sync may be run again. `round`: what rounding
   * draws by.
   */
  constructor(chunks: readonly StoredChunk<W>[], stepSizeOf: (item: W) => number, round: number) {
    this.#chunks = chunks;
    this.#stepSizeOf = stepSizeOf;
    this.#round = round;
  }

  /** Resolves when all chunks are in place. Rejects only when nothing of it is running any more. */
  async run(tools: SyncTools): Promise<void> {
    const writer = tools.device.write();
    const passes: Promise<void>[] = [];
    let broken = false;
    try {
      let before: Promise<void> = Promise.resolve();
      for (const stored of this.#chunks) {
        // A pass that fails gives its slot back, so this never waits in vain.
        const slot = await tools.clock.time('blend', () => stored.segment.ring.acquire());
        const release = () => stored.segment.ring.release(slot);
        if (broken) {
          release();
          break;
        }
        before = this.#pass(stored, slot, before, writer, tools).finally(release);
        before.catch(() => (broken = true));
        passes.push(before);
      }
      await tools.clock.time('blend', () => Promise.all(passes));
    } finally {
      await Promise.allSettled(passes);
      writer.close();
    }
  }

  /** One chunk's way through `slot`; pushes after `before`. */
  async #pass(
    stored: StoredChunk<W>,
    slot: number,
    before: Promise<void>,
    writer: DeviceWriter,
    { device, blender, clock }: SyncTools,
  ): Promise<void> {
    const { segment, chunk } = stored;
    const staging = segment.staging(slot, chunk.length);
    if (this.#blended.has(stored)) {
      for (const part of chunk.parts) staging.set(segment.values(chunk, part), part.offset);
    } else {
      await clock.time('pull', () => pull(stored, staging, device));
      const job = segment.job(chunk, slot, this.#runs(stored), this.#round);
      beginChunk(job);
      await blender.blend(job); // until it settles, the slot is the worker's
      this.#blended.add(stored);
    }
    await before;
    const values = ({ offset, length }: Part) => staging.subarray(offset, offset + length);
    await clock.time('push', () => push(stored, values, writer));
  }

  /** Neighbouring parts with the same α are one run for the kernel, unless each has to be quantized by itself. */
  #runs({ segment, chunk, weights }: StoredChunk<W>): BlendRun[] {
    const runs: { length: number; at: number; stepSize: number; item?: number; start?: number }[] =
      [];
    for (const { weight, length, start, offset: at } of chunk.parts) {
      const item = weightOf(weights, weight);
      const stepSize = this.#stepSizeOf(item);
      const last = runs.at(-1);
      // A weight that outgrew the format has left a hole behind: each part says where it is.
      if (segment.format !== 'f32') {
        runs.push({ length, at, stepSize, item: item.serial, start });
      } else if (last?.stepSize === stepSize && last.at + last.length === at) last.length += length;
      else runs.push({ length, at, stepSize });
    }
    return runs;
  }
}

/** Copies the chunk's fast weights into `into`. */
export async function pull<W extends Storable>(
  { chunk, weights }: StoredChunk<W>,
  into: Float32Array,
  device: Device,
): Promise<void> {
  for (const { weight, start, length, offset } of chunk.parts) {
    const { variable } = weightOf(weights, weight);
    if (variable.isDisposed) continue; // its model is gone; nothing of it is read again
    await device.pull(variable, start, into.subarray(offset, offset + length));
  }
}

/** Makes `valuesOf` the chunk's fast weights, of those weights that `isMeant`. */
export async function push<W extends Storable>(
  { chunk, weights }: StoredChunk<W>,
  valuesOf: (part: Part) => Float32Array,
  writer: DeviceWriter,
  isMeant: (item: W) => boolean = () => true,
): Promise<void> {
  for (const part of chunk.parts) {
    const item = weightOf(weights, part.weight);
    if (item.variable.isDisposed || !isMeant(item)) continue;
    await writer.push(item.variable, part.start, valuesOf(part));
  }
}
