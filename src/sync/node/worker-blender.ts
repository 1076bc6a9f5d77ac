/**
 * Blends in worker threads and survives their death. A pool that failed is stopped, and a new one continues each
 * unfinished chunk from its mark. Where threads do not work at all, the caller's thread blends.
 */
import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';

import { Piscina } from 'piscina';

import { type BlendJob, blendChunk } from '../../../workers/blend.js';
import { isShared } from '../../../workers/simd-kernels.js';
import { type Blender, type BlenderOptions, InlineBlender } from '../blender.js';

/**
 * Pools that may fail one after the other, no chunk succeeding in between, and still be replaced.
 */
const MAX_RECOVERIES = 3;

// The same place relative to this file in the sources and in dist/.
const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
const blendWorker = new URL(`../../../workers/blend${extension}`, import.meta.url);

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

/**
 * One generation of blending threads. It repairs nothing: when a thread dies or hangs, the whole pool is broken and
 * rejects each chunk under way; its owner stops it and makes a new one.
 */
class ThreadPool {
  readonly #piscina: Piscina<BlendJob, void>;
  readonly #timeoutMs: number;
  /**
   * Every thread that ever ran here; piscina itself forgets a thread as soon as it fails, before it
   * has exited.
   */
  readonly #threads = new Set<Worker>();
  /** How to reject each chunk under way. */
  readonly #underWay = new Set<(cause: unknown) => void>();
  #watchdog: NodeJS.Timeout | undefined;
  #brokenBy: Error | undefined;
  #stopped: Promise<void> | undefined;

  /** Starts the threads; throws where none may be started. */
  constructor(workerFile: URL, threads: number, timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
    this.#piscina = new Piscina<BlendJob, void>({
      filename: workerFile.href,
      minThreads: threads,
      maxThreads: threads,
      idleTimeout: Infinity, // they idle from sync to sync
      recordTiming: false,
      // Threads inherit the process' flags, which a .ts worker needs (--import tsx); others can do
      // harm there (--input-type).
      ...(workerFile.pathname.endsWith('.ts') ? {} : { execArgv: [] }),
    });
    // From here on piscina must replace no thread: it would do so even after `destroy()`, where one
    // fails meanwhile.
    this.#piscina.options.minThreads = 0;
    // Without a listener the failure of an idle thread would end the process.
    this.#piscina.on('error', (cause: Error) => this.#break(cause));
    this.#meetThreads();
  }

  /** True once a thread has failed, idle or not: nothing can run here any more. */
  get broken(): boolean {
    return this.#brokenBy !== undefined;
  }

  /**
   * Rejects if the job throws or the pool breaks; after the latter the thread may still be writing
   * until `stop()`.
   */
  run(job: BlendJob): Promise<void> {
    if (this.#brokenBy !== undefined) return Promise.reject(this.#brokenBy);
    return new Promise((resolve, reject) => {
      const settled = () => {
        this.#underWay.delete(reject);
        this.#watch();
        this.#meetThreads();
      };
      this.#underWay.add(reject);
      this.#piscina.run(job).finally(settled).then(resolve, reject);
      this.#watch();
      this.#meetThreads();
    });
  }

  /** Breaks the pool and resolves when every thread has exited. May be called again. */
  stop(): Promise<void> {
    return (this.#stopped ??= this.#stop());
  }

  async #stop(): Promise<void> {
    this.#break(new Error('the blending threads were stopped'));
    this.#meetThreads();
    await this.#piscina.destroy();
    // piscina waits for the threads it still knows, and not even for those if they fail meanwhile.
    // `terminate()` resolves when the thread has exited, at once if it has before.
    await Promise.all(Array.from(this.#threads, (thread) => thread.terminate()));
  }

  /**
   * Called wherever piscina may have started a thread: at first, and on demand in place of one that
   * failed.
   */
  #meetThreads(): void {
    for (const thread of this.#piscina.threads) {
      if (this.#threads.has(thread)) continue;
      this.#threads.add(thread);
      thread.once('error', (cause) => this.#break(cause));
      thread.once('exit', (code) =>
        this.#break(new Error(`a blending thread exited with code ${code}`)),
      );
    }
  }

  #break(cause: unknown): void {
    if (this.#brokenBy !== undefined) return;
    this.#brokenBy =
      cause instanceof Error ? cause : new Error(`a blending thread threw ${String(cause)}`);
    this.#meetThreads();
    for (const reject of this.#underWay) reject(this.#brokenBy);
    this.#underWay.clear();
    this.#watch();
  }

  /** Restarts the watch at every submission and answer, so that waiting in line does not count. */
  #watch(): void {
    clearTimeout(this.#watchdog);
    this.#watchdog = undefined;
    if (this.#underWay.size === 0) return;
    const watchdog = setTimeout(() => {
      // If it was this thread that was busy, the answer is here but not read yet: timers come
      // before messages.
      setImmediate(() => {
        if (this.#watchdog === watchdog) {
          this.#break(new Error(`no blending thread answered for ${this.#timeoutMs} ms`));
        }
      });
    }, this.#timeoutMs);
    this.#watchdog = watchdog;
  }
}
