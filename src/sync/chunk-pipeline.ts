// One sync: every chunk once, in layout order, pull → blend → push.
//
// The chunks are pipelined over the ring of staging slots: while workers blend some, the main thread
// pulls the next ones and pushes the previous ones. Pushes keep the order of the chunks, because a device may
// have to assemble a weight from its parts.
//
// `run` may be called again after the device failed. It does not blend a chunk twice: it pushes the stored
// result, which is rounded, so the fast weights lose what rounding took.

import { beginChunk, type BlendRun } from '../../workers/blend.js';
import type { Device, DeviceWriter } from '../engine/device.js';
import type { StoredChunk } from './chunk-memory.js';
import type { Blender } from './blender.js';
import { isGone } from '../tfjs/variables.js';
import type { BlendOptions, Storable, StoreClock, StorePhase } from '../slow/slow-store.js';

export interface SyncTools {
  readonly device: Device;
  readonly blender: Blender;
  readonly clock: StoreClock;
}

export class Sync<W extends Storable> {
  readonly #chunks: readonly StoredChunk<W>[];
  readonly #options: BlendOptions<W>;
  readonly #blended = new Set<StoredChunk<W>>();

  constructor(chunks: readonly StoredChunk<W>[], options: BlendOptions<W>) {
    this.#chunks = chunks;
    this.#options = options;
  }

  /** Resolves when all chunks are in place. Before it rejects, everything that it started has ended. */
  async run(tools: SyncTools): Promise<void> {
    const writer = tools.device.write();
    const passes: Promise<void>[] = [];
    let broken = false;
    try {
      let before: Promise<void> = Promise.resolve();
      for (const stored of this.#chunks) {
        // A pass that fails gives its slot back, so this always resolves.
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
    }
  }

  /** The same on this thread, for a device that answers at once: chunk by chunk, the same bits. */
  runAtOnce({ device, blender, clock }: SyncTools): void {
    const writer = device.write();
    const timed = (phase: StorePhase, work: () => void) => {
      const start = performance.now();
      work();
      clock.add(phase, performance.now() - start);
    };
    for (const stored of this.#chunks) {
      const { segment, length, parts } = stored;
      const slot = segment.ring.acquireAtOnce();
      try {
        const staging = segment.staging(slot, length);
        if (this.#blended.has(stored)) {
          for (const part of parts) staging.set(segment.values(stored, part), part.offset);
        } else {
          timed('pull', () => {
            for (const { item, start, offset, length: count } of parts) {
              if (!this.#isMeant(item)) continue;
              void device.pull(item.variable, start, staging.subarray(offset, offset + count));
            }
          });
          const job = segment.job(stored, slot, this.#runs(stored), this.#options.round);
          timed('blend', () => blender.blendAtOnce(job));
          this.#blended.add(stored);
        }
        timed('push', () => {
          for (const { item, start, offset, length: count } of parts) {
            if (!this.#isMeant(item)) continue;
            void writer.push(item.variable, start, staging.subarray(offset, offset + count));
          }
        });
      } finally {
        segment.ring.release(slot);
      }
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
    const { segment, length, parts } = stored;
    const staging = segment.staging(slot, length);
    if (this.#blended.has(stored)) {
      for (const part of parts) staging.set(segment.values(stored, part), part.offset);
    } else {
      await clock.time('pull', async () => {
        for (const { item, start, offset, length: count } of parts) {
          if (!this.#isMeant(item)) continue;
          await device.pull(item.variable, start, staging.subarray(offset, offset + count));
        }
      });
      const job = segment.job(stored, slot, this.#runs(stored), this.#options.round);
      beginChunk(job);
      await blender.blend(job); // until it settles, the slot is the worker's
      this.#blended.add(stored);
    }
    await before;
    await clock.time('push', async () => {
      for (const { item, start, offset, length: count } of parts) {
        if (!this.#isMeant(item)) continue;
        await writer.push(item.variable, start, staging.subarray(offset, offset + count));
      }
    });
  }

  /** False for a weight that is frozen, or whose model is gone. */
  #isMeant(item: W): boolean {
    return this.#options.stepSizeOf(item) !== null && !isGone(item.variable);
  }

  /** Neighbouring parts with the same α are one run for the kernel, unless each has to be quantized by itself. */
  #runs({ segment, parts }: StoredChunk<W>): BlendRun[] {
    const runs: { length: number; at: number; stepSize: number; item?: number; start?: number }[] =
      [];
    for (const { item, length, start, offset: at } of parts) {
      const stepSize = this.#options.stepSizeOf(item);
      if (stepSize === null) continue;
      const last = runs.at(-1);
      // A weight that is frozen, or kept in float32 since, leaves a gap, so each run says where it begins.
      if (segment.format !== 'f32') {
        runs.push({ length, at, stepSize, item: item.serial, start });
      } else if (last?.stepSize === stepSize && last.at + last.length === at) last.length += length;
      else runs.push({ length, at, stepSize });
    }
    return runs;
  }
}
