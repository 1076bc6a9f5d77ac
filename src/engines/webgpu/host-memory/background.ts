// Work that goes on after the call that began it has returned. A later call that needs the result waits for it, and
// throws if it failed.

import { pause } from './slices.js';

export class Background {
  readonly #over: () => void;
  #running: Promise<void> | null = null;
  #failure: unknown = null;
  #isStopped = false;

  /** Calls `over` when work ends, unless it was stopped. */
  constructor(over: () => void = () => undefined) {
    this.#over = over;
  }

  /** True while work runs. */
  get isRunning(): boolean {
    return this.#running !== null;
  }

  /** True once nobody wants its results any more. */
  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** `work` is under way, and its caller awaits it: settles as it does. */
  run(work: Promise<void>): Promise<void> {
    const running = work.finally(() => {
      this.#running = null;
      if (!this.#isStopped) this.#over();
    });
    this.#running = running.catch(() => undefined);
    return running;
  }

  /** `work` is under way, and nobody awaits it: `done` and `yield` tell of a failure, until `clearFailure`. */
  begin(work: Promise<void>): void {
    this.run(work).catch((error: unknown) => {
      if (!this.#isStopped) this.#failure = error;
    });
  }

  /** Resolves when nothing is under way, well or not. */
  async over(): Promise<void> {
    await this.#running;
  }

  /** Resolves when nothing is under way; rejects if something failed. */
  async done(): Promise<void> {
    await this.#running;
    if (this.#failure !== null) throw this.#failure;
  }

  /** Gives it one turn of the event loop; throws if something failed. */
  async yield(): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    if (this.#running !== null) await pause();
  }

  /** What failed is made good. */
  clearFailure(): void {
    this.#failure = null;
  }

  /** Nobody wants the results any more. */
  stop(): void {
    this.#isStopped = true;
  }
}
