/**
 * Blends in worker threads and survives their death: when a thread has failed and exited, another one continues its
 * chunk from the mark. Where threads do not work at all, and for few weights, the caller's thread blends.
 */
import { availableParallelism } from 'node:os';

import { blendAtOnce, type BlendJob, blendChunk } from '../../../workers/blend.js';
import { isShared } from '../../../workers/simd-kernels.js';
import { type Blender, type BlenderOptions, InlineBlender } from '../blender.js';
import type { BlendThread } from './blend-thread.js';
import { type Threads, threadsOf } from './threads.js';
import { measureOn, smallestForThreads } from './worth-a-thread.js';
import { blendWorker, BundledError, isBundled } from './worker-file.js';

/** Threads that may fail one after the other, no chunk succeeding in between. */
const MAX_RECOVERIES = 3;

const BUNDLED = 'bundled: keep piscina and slowlane external';

/** One core is left to the thread that trains. */
export function defaultWorkers(): number {
  return Math.max(1, availableParallelism() - 1);
}

/** Starts no thread before the first blend, and none for memory that threads cannot see. */
export function createBlender(options: BlenderOptions): Blender {
  return options.workers === 0 ? new InlineBlender() : new WorkerBlender(options);
}

class WorkerBlender implements Blender {
  readonly workers: number;
  readonly #options: BlenderOptions;
  /** null: what is measured. */
  readonly #smallest: number | null;
  readonly #threads: Threads | undefined;
  readonly #underWay = new Set<Promise<void>>();
  #failuresInARow = 0;
  #inlineForGood = false;
  /** Where chunks were blended so far. */
  readonly #blended = { inline: false, inThreads: false };

  constructor(options: BlenderOptions) {
    const { workers, workerFile, smallestForThreads } = options;
    this.#options = options;
    this.workers = workers;
    this.#smallest = smallestForThreads ?? (workerFile === undefined ? null : 0);
    const file = workerFile ?? blendWorker();
    this.#threads = file && threadsOf(file);
  }

  get description(): string {
    const { inline, inThreads } = this.#blended;
    if (this.#inlineForGood || (inline && !inThreads)) return 'inline';
    return this.workers === 1 ? '1 worker' : `${this.workers} workers`;
  }

  blendAtOnce(job: BlendJob): void {
    this.#blended.inline = true;
    blendAtOnce(job);
  }

  runsInline(weights: number): boolean {
    return this.#inlineForGood || weights < (this.#smallest ?? smallestForThreads());
  }

  blend(job: BlendJob): Promise<void> {
    const done = this.#blend(job);
    const forget = () => void this.#underWay.delete(done);
    this.#underWay.add(done);
    done.then(forget, forget);
    return done;
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#underWay);
    await this.#threads?.release(this);
  }

  async #blend(job: BlendJob): Promise<void> {
    if (isShared(job.memory) && !this.runsInline(weightsOf(job)) && (await this.#inThread(job))) {
      this.#blended.inThreads = true;
    } else {
      this.#blended.inline = true;
      blendChunk(job); // what it throws here is the job's own fault
    }
  }

  /** Resolves to whether a thread has done it. If not, no thread can write to the chunk any more. */
  async #inThread(job: BlendJob): Promise<boolean> {
    // Bounded for each chunk too: others may succeed while this one fails again and again.
    for (let attempt = 0; attempt <= MAX_RECOVERIES; attempt++) {
      const before = this.#failuresInARow;
      const thread = await this.#borrow();
      if (thread === undefined) return false;
      try {
        await thread.run(job, this.#options.timeoutMs);
        if (this.#smallest === null) await measureOn(thread, this.#options.timeoutMs);
        this.#failuresInARow = 0;
        return true;
      } catch (cause) {
        // Not again if another chunk has counted meanwhile: what failed at once, failed once.
        if (this.#failuresInARow === before) this.#failuresInARow += 1;
        if (this.#failuresInARow > MAX_RECOVERIES || isBundled(cause)) this.#giveUp(cause);
        await thread.stop();
      } finally {
        this.#threads?.giveBack(this, thread);
      }
    }
    return false;
  }

  async #borrow(): Promise<BlendThread | undefined> {
    if (this.#inlineForGood) return undefined;
    if (this.#threads === undefined) {
      this.#giveUp(new BundledError('it has no import.meta.url'));
      return undefined;
    }
    let thread: BlendThread;
    try {
      thread = await this.#threads.lend(this);
    } catch (cause) {
      this.#giveUp(cause);
      return undefined;
    }
    if (!this.#inlineForGood) return thread;
    this.#threads.giveBack(this, thread); // given up while this one waited
    return undefined;
  }

  #giveUp(cause: unknown): void {
    if (this.#inlineForGood) return;
    this.#inlineForGood = true;
    const { warn = warnOnce } = this.#options;
    const message = cause instanceof Error ? cause.message : String(cause);
    const reason = isBundled(cause) ? `${BUNDLED}; ${message}` : message;
    warn(
      `slowlane: worker threads do not work here (${reason}), so blends run on the main thread from now on: ` +
        'the same result, only slower. Set workers: 0 to choose this.',
    );
  }
}

/** Messages that the process has had: each Lookahead would repeat them. */
const said = new Set<string>();

function warnOnce(message: string): void {
  if (!said.has(message)) console.warn(message);
  said.add(message);
}

function weightsOf({ runs }: BlendJob): number {
  return runs.reduce((sum, { length }) => sum + length, 0);
}
