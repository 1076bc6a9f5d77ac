// Lends a fixed number of staging slots. Who asks when none is free waits, first come first served.

export class Ring {
  readonly #free: number[];
  readonly #waiting: ((slot: number) => void)[] = [];

  constructor(slots: number) {
    this.#free = Array.from({ length: slots }, (_, i) => slots - 1 - i);
  }

  /** Resolves to a slot that is the caller's until it calls `release`. */
  acquire(): Promise<number> {
    const slot = this.#free.pop();
    if (slot !== undefined) return Promise.resolve(slot);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  release(slot: number): void {
    const next = this.#waiting.shift();
    if (next) next(slot);
    else this.#free.push(slot);
  }
}
