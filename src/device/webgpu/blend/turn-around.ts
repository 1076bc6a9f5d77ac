// Brings pieces round on the host after a sync, while training goes on: what the device sent down is copied
// to where it goes up from.

import type { StoreClock } from '../../../slow/slow-store.js';
import { type Pace, pause } from './copy-in-slices.js';
import type { Piece } from './piece.js';

export class TurnAround {
  readonly #pace: Pace;
  #running: Promise<void> | null = null;
  #failure: unknown = null;
  #isStopped = false;

  constructor(clock: StoreClock) {
    this.#pace = {
      now: () => performance.now(),
      pause,
      took: (elapsedMs) => clock.add('turnAround', elapsedMs),
    };
  }

  get isRunning(): boolean {
    return this.#running !== null;
  }

  /**
   * `pieces` were handed over with commands; `submitted` says how those fared. If they failed the slow
   * weights of before are kept, and whoever waits next is told.
   */
  begin<W>(pieces: readonly Piece<W>[], submitted: Promise<void>, cameDown: boolean): void {
    this.#failure = null;
    const running = this.#run(pieces, submitted, cameDown)
      .catch((error: unknown) => {
        if (!this.#isStopped) this.#failure = error;
      })
      .finally(() => {
        if (this.#running === running) this.#running = null;
      });
    this.#running = running;
  }

  /** Resolves when it is over, well or not. */
  async over(): Promise<void> {
    await this.#running;
  }

  /** Resolves when it is over; rejects if it failed, or the one before. */
  async done(): Promise<void> {
    await this.#running;
    if (this.#failure !== null) throw this.#failure;
  }

  /** Gives it one turn of the event loop; throws if it failed. */
  async breathe(): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    if (this.#running !== null) await pause();
  }

  /** The pieces are about to be destroyed. */
  stop(): void {
    this.#isStopped = true;
  }

  async #run<W>(
    pieces: readonly Piece<W>[],
    submitted: Promise<void>,
    cameDown: boolean,
  ): Promise<void> {
    // All at once, so that each is there as soon as the device is done with it.
    const returns = pieces.map((piece) => piece.takeBack());
    const settled = Promise.allSettled(returns);
    let failure: unknown = null;
    await submitted.catch((error: unknown) => (failure = error));
    for (const [i, piece] of pieces.entries()) {
      await returns[i];
      if (this.#isStopped) return;
      if (cameDown) await piece.even(failure === null ? 'down to up' : 'up to down', this.#pace);
    }
    await settled;
    if (failure !== null) throw failure;
  }
}
