/**
 * One generation of blending threads. It knows no repair: when a thread dies or hangs the whole
 * pool is broken, every chunk under way is rejected, and its owner stops it and makes a new one.
 * Not for use outside worker-blender.ts.
 */
import type { Worker } from 'node:worker_threads';
import { Piscina } from 'piscina';
import type { BlendJob } from '../../../workers/blend.js';

export class ThreadPool {
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
      this.#piscina.run(job).then(
        () => {
          settled();
          resolve();
        },
        (cause: unknown) => {
          settled();
          reject(cause);
        },
      );
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
