// One thread that blends. Each thread is a piscina of its own, so that a death or a hang concerns one chunk alone: in a
// pool of several threads piscina says neither which one has a chunk nor when one that failed has exited.

import type { Worker } from 'node:worker_threads';

import type { Piscina } from 'piscina';

import type { BlendJob } from '../../../workers/blend.js';
import { loadPiscina } from './worker-file.js';

/** It repairs nothing: once the thread has failed, it is broken. */
export class BlendThread {
  readonly #piscina: Piscina<BlendJob, void>;
  /** What ever ran here; piscina itself forgets a thread as soon as it fails, before it has exited. */
  readonly #threads = new Set<Worker>();
  #brokenBy: Error | undefined;
  /** Rejects the chunk under way. */
  #reject: ((cause: Error) => void) | undefined;
  #stopped: Promise<void> | undefined;

  /** Starts the thread. Rejects where none may be started, and in a bundle (BundledError). */
  static async start(workerFile: URL): Promise<BlendThread> {
    return new BlendThread(await loadPiscina(workerFile), workerFile);
  }

  private constructor(Pool: typeof Piscina, workerFile: URL) {
    this.#piscina = new Pool<BlendJob, void>({
      filename: workerFile.href,
      minThreads: 1,
      maxThreads: 1,
      idleTimeout: Infinity, // its owner stops it
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

  /** True once the thread has failed, idle or not: nothing can run here any more. */
  get broken(): boolean {
    return this.#brokenBy !== undefined;
  }

  /**
   * One job at a time. Rejects if the job throws, the thread dies, or does not answer within `timeoutMs`; it may
   * still be writing until `stop()` resolves.
   */
  run(job: BlendJob, timeoutMs: number): Promise<void> {
    if (this.#brokenBy !== undefined) return Promise.reject(this.#brokenBy);
    return new Promise((resolve, reject) => {
      const endWatch = watch(timeoutMs, () =>
        this.#break(new Error(`a blending thread did not answer for ${timeoutMs} ms`)),
      );
      this.#reject = (cause) => {
        endWatch();
        reject(cause);
      };
      const settled = () => {
        endWatch();
        this.#reject = undefined;
        this.#meetThreads();
      };
      this.#piscina.run(job).finally(settled).then(resolve, reject);
      this.#meetThreads();
    });
  }

  /** Resolves when the thread has exited. May be called again. */
  stop(): Promise<void> {
    return (this.#stopped ??= this.#stop());
  }

  async #stop(): Promise<void> {
    this.#break(new Error('the blending thread was stopped'));
    this.#meetThreads();
    await this.#piscina.destroy();
    // piscina waits for the threads it still knows, and not even for those if they fail meanwhile.
    // `terminate()` resolves when the thread has exited, at once if it has before.
    await Promise.all(Array.from(this.#threads, (thread) => thread.terminate()));
  }

  /** Called wherever piscina may have started a thread: at first, and on demand in place of one that failed. */
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
    this.#reject?.(this.#brokenBy);
    this.#reject = undefined;
  }
}

/** Calls `late` after `ms`, unless the returned function is called before. */
function watch(ms: number, late: () => void): () => void {
  let isOver = false;
  const timer = setTimeout(() => {
    // If it was this thread that was busy, the answer is here but not read yet: timers come before messages.
    setImmediate(() => {
      if (!isOver) late();
    });
  }, ms);
  return () => {
    isOver = true;
    clearTimeout(timer);
  };
}
