// The blending threads of the process. All Lookaheads share them: a thread is started when a chunk finds none free,
// and stops when it was idle for a while, or when the Lookahead whose chunk it had last stops its workers.

import { BlendThread } from './blend-thread.js';

/** Long enough for the steps between two syncs of a small model. A new thread takes some 50 ms. */
const IDLE_MS = 10_000;

/** Who borrows threads, and how many at a time. */
export interface Borrower {
  readonly workers: number;
}

interface Request {
  readonly borrower: Borrower;
  readonly resolve: (thread: BlendThread) => void;
  readonly reject: (cause: unknown) => void;
}

interface Idle {
  readonly thread: BlendThread;
  /** Its last chunk keeps the slow weights of this one in memory. */
  readonly last: Borrower;
  readonly timer: NodeJS.Timeout;
}

export class Threads {
  readonly #workerFile: URL;
  readonly #idleMs: number;
  /** In the order in which they came back. */
  #idle: Idle[] = [];
  /** Starting ones too. */
  readonly #lent = new Map<Borrower, number>();
  #waiting: Request[] = [];
  #isStarting = false;

  constructor(workerFile: URL, idleMs = IDLE_MS) {
    this.#workerFile = workerFile;
    this.#idleMs = idleMs;
  }

  /**
   * Resolves to a thread that is the borrower's until it calls `giveBack`, first come first served. There are never
   * more threads than the largest `workers` of those that asked. Rejects where no thread can be started.
   */
  lend(borrower: Borrower): Promise<BlendThread> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ borrower, resolve, reject });
      this.#serve();
    });
  }

  giveBack(borrower: Borrower, thread: BlendThread): void {
    this.#count(borrower, -1);
    if (!thread.broken) {
      const stop = () => {
        this.#idle = this.#idle.filter((one) => one.thread !== thread);
        void thread.stop();
      };
      const timer = setTimeout(stop, this.#idleMs).unref();
      this.#idle.push({ thread, last: borrower, timer });
    }
    this.#serve();
  }

  /** Resolves when the idle threads that had a chunk of `borrower` last have exited. */
  async release(borrower: Borrower): Promise<void> {
    const those = this.#idle.filter(({ last }) => last === borrower);
    this.#idle = this.#idle.filter(({ last }) => last !== borrower);
    for (const { timer } of those) clearTimeout(timer);
    await Promise.all(those.map(({ thread }) => thread.stop()));
  }

  #serve(): void {
    for (const request of this.#waiting) {
      const { borrower, resolve } = request;
      if ((this.#lent.get(borrower) ?? 0) >= borrower.workers) continue;
      const thread = this.#takeIdle();
      if (thread === undefined && (this.#isStarting || this.#lentToAll() >= borrower.workers))
        continue;
      this.#waiting = this.#waiting.filter((other) => other !== request);
      this.#count(borrower, 1);
      if (thread === undefined) void this.#start(request);
      else resolve(thread);
    }
  }

  /** One at a time: where no thread can be started, it is tried once for all that wait. */
  async #start({ borrower, resolve, reject }: Request): Promise<void> {
    this.#isStarting = true;
    try {
      resolve(await BlendThread.start(this.#workerFile));
    } catch (cause) {
      this.#count(borrower, -1);
      reject(cause);
      if (this.#lent.size === 0)
        for (const request of this.#waiting.splice(0)) request.reject(cause);
    } finally {
      this.#isStarting = false;
    }
    this.#serve();
  }

  /** The one that came back last, so that those that are not needed grow old. */
  #takeIdle(): BlendThread | undefined {
    for (;;) {
      const last = this.#idle.pop();
      if (last === undefined) return undefined;
      clearTimeout(last.timer);
      if (!last.thread.broken) return last.thread;
      void last.thread.stop();
    }
  }

  #lentToAll(): number {
    return [...this.#lent.values()].reduce((sum, count) => sum + count, 0);
  }

  #count(borrower: Borrower, change: 1 | -1): void {
    const count = (this.#lent.get(borrower) ?? 0) + change;
    if (count === 0) this.#lent.delete(borrower);
    else this.#lent.set(borrower, count);
  }
}

const all = new Map<string, Threads>();

/** The threads of the process that run `workerFile`. */
export function threadsOf(workerFile: URL): Threads {
  const threads = all.get(workerFile.href) ?? new Threads(workerFile);
  all.set(workerFile.href, threads);
  return threads;
}
