// Connects the buttons to the loop: pause, continue, stop. Lets the page draw between steps.

/** The page waits at most this long for the loop: half a frame. */
const BUSY_MS = 8;

export class Control {
  #isStopped = false;
  #resume: (() => void) | null = null;
  #paused: Promise<void> | null = null;
  #lastPauseAt = performance.now();

  get isPaused(): boolean {
    return this.#paused !== null;
  }

  pause(): void {
    this.#paused ??= new Promise((resolve) => {
      this.#resume = resolve;
    });
  }

  resume(): void {
    this.#resume?.();
    this.#paused = null;
  }

  stop(): void {
    this.#isStopped = true;
    this.resume();
  }

  /** Resolves to whether to take another step. While training is paused, it waits. */
  async goesOn(): Promise<boolean> {
    if (performance.now() - this.#lastPauseAt > BUSY_MS) {
      // A message, not a timer: a tab in the background gets one timer a second.
      await new Promise<void>((resolve) => {
        const { port1, port2 } = new MessageChannel();
        port1.addEventListener('message', () => {
          port1.close();
          resolve();
        });
        port1.start();
        port2.postMessage(null);
      });
      this.#lastPauseAt = performance.now();
    }
    if (this.#paused !== null) await this.#paused;
    return !this.#isStopped;
  }
}
