/**
 * Blends in worker threads, and survives their death: the pool that failed is stopped, a new one
 * continues every chunk that had not resolved from its mark, and where threads do not work at all
 * the caller's thread takes over.
 */
import { availableParallelism } from 'node:os';
import { type BlendJob, blendChunk } from '../../../workers/blend.js';
import { isShared } from '../../../workers/simd-kernels.js';
import { type Blender, type BlenderOptions, InlineBlender } from '../blender.js';
import { ThreadPool } from './thread-pool.js';

/**
 * Pools that may fail one after the other, no chunk succeeding in between, and still be replaced.
 */
const MAX_RECOVERIES = 3;

// The same place relative to this file in the sources and in dist/.
const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
const blendWorker = new URL(`../../../workers/blend-worker${extension}`, import.meta.url);

/** One core is left to the thread that trains. */
export function defaultWorkers(): number {
  return Math.max(1, availableParallelism() - 1);
}

/** Starts no thread before the first blend, and none for memory that threads cannot see. */
export function createBlender(options: BlenderOptions): Blender {
  return options.workers === 0 ? new InlineBlender() : new WorkerBlender(options);
}

class WorkerBlender implements Blender {
  readonly #options: BlenderOptions;
  readonly #underWay = new Set<Promise<void>>();
  #pool: ThreadPool | undefined;
  /** The exit of the previous pool's threads. */
  #stopping: Promise<void> = Promise.resolve();
  #failuresInARow = 0;
  #inlineForGood = false;

  constructor(options: BlenderOptions) {
    this.#options = options;
  }

  get description(): string {
    if (this.#inlineForGood) return 'inline';
    const { workers } = this.#options;
    return workers === 1 ? '1 worker' : `${workers} workers`;
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
    this.#stopPool();
    await this.#stopping;
  }

  async #blend(job: BlendJob): Promise<void> {
    // Bounded for each chunk too: others may succeed while this one fails again and again.
    for (let attempt = 0; attempt <= MAX_RECOVERIES && isShared(job.memory); attempt++) {
      const pool = await this.#usablePool();
      if (pool === undefined) break;
      try {
        await pool.run(job);
        this.#failuresInARow = 0;
        return;
      } catch (cause) {
        await this.#recover(pool, cause);
      }
    }
    blendChunk(job); // what it throws here is the job's own fault
  }

  async #usablePool(): Promise<ThreadPool | undefined> {
    if (this.#pool?.broken) this.#stopPool(); // a thread died while idle
    await this.#stopping; // never two generations at once
    if (this.#inlineForGood) return undefined;
    const { workerFile = blendWorker, workers, timeoutMs } = this.#options;
    try {
      return (this.#pool ??= new ThreadPool(workerFile, workers, timeoutMs));
    } catch (cause) {
      this.#giveUp(cause);
      return undefined;
    }
  }

  /**
   * Resolves when no thread of that pool can write any more. Its first failure acts for all chunks
   * of the pool.
   */
  async #recover(pool: ThreadPool, cause: unknown): Promise<void> {
    if (this.#pool === pool) {
      this.#stopPool();
      this.#failuresInARow += 1;
      if (this.#failuresInARow > MAX_RECOVERIES) this.#giveUp(cause);
    }
    await pool.stop();
  }

  #stopPool(): void {
    if (this.#pool !== undefined) this.#stopping = this.#pool.stop();
    this.#pool = undefined;
  }

  #giveUp(cause: unknown): void {
    if (this.#inlineForGood) return;
    this.#inlineForGood = true;
    const { warn = console.warn } = this.#options;
    const reason = cause instanceof Error ? cause.message : String(cause);
    warn(
      `slowlane: worker threads do not work here (${reason}), so blends run on the main thread from now on: ` +
        'the same result, only slower. Set workers: 0 to choose this.',
    );
  }
}
