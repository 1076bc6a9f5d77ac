// Takes mapped pairs back from the device and brings them round on the host: what came down is copied to
// where it goes up from.

import type { DeviceErrors } from '../device-errors.js';
import { GpuError } from '../gpu-error.js';
import type { MappedPair } from './mapped-pair.js';
import { pause, Slices } from './slices.js';

/** Pairs that were handed to the device. */
export interface HandedOver<P extends MappedPair> {
  readonly pieces: readonly P[];
  /** Rejects if the device failed. */
  readonly submitted: Promise<void>;
  /** False if only the upload buffers were handed over, and nothing came down. */
  readonly comesDown: boolean;
}

export interface TurnAroundHooks {
  /** Told the milliseconds of each slice of copying. */
  took(elapsedMs: number): void;
  /** Called at the end of each, unless it was stopped. */
  over(): void;
}

export class Readback<P extends MappedPair> {
  readonly #errors: DeviceErrors;
  readonly #slices: Slices;
  readonly #hooks: TurnAroundHooks;
  readonly #inFlight = new Set<P>();
  #running: Promise<void> | null = null;
  /** Of one that went on in the background. */
  #failure: unknown = null;
  #isStopped = false;

  constructor(errors: DeviceErrors, hooks: TurnAroundHooks) {
    this.#errors = errors;
    this.#hooks = hooks;
    this.#slices = new Slices({
      now: () => performance.now(),
      pause,
      took: (elapsedMs) => hooks.took(elapsedMs),
    });
  }

  /** True while something is under way. */
  get isRunning(): boolean {
    return this.#running !== null;
  }

  /** True for a pair that is not to be touched. */
  isInFlight(piece: P): boolean {
    return this.#inFlight.has(piece);
  }

  /** Resolves when the pairs are round. If it rejects they hold the bytes of before. */
  run(given: HandedOver<P>): Promise<void> {
    for (const piece of given.pieces) this.#inFlight.add(piece);
    const running = this.#bring(given).finally(() => {
      this.#inFlight.clear();
      this.#running = null;
      if (!this.#isStopped) this.#hooks.over();
    });
    this.#running = running.catch(() => undefined);
    return running;
  }

  /** The same in the background: `done` and `yield` tell of a failure, until `clearFailure`. */
  begin(given: HandedOver<P>): void {
    this.run(given).catch((error: unknown) => {
      if (!this.#isStopped) this.#failure = error;
    });
  }

  /** Resolves when nothing is under way, well or not. */
  async over(): Promise<void> {
    await this.#running;
  }

  /** Resolves when nothing is under way; rejects if what went on in the background failed. */
  async done(): Promise<void> {
    await this.#running;
    if (this.#failure !== null) throw this.#failure;
  }

  /** Gives it one turn of the event loop; throws if it failed. */
  async yield(): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    if (this.#running !== null) await pause();
  }

  /** What failed is made good. */
  clearFailure(): void {
    this.#failure = null;
  }

  /** The pairs are about to be destroyed. */
  stop(): void {
    this.#isStopped = true;
  }

  async #bring({ pieces, submitted, comesDown }: HandedOver<P>): Promise<void> {
    // All at once, so that each is there as soon as the device is done with it.
    const returns = pieces.map((piece) => piece.map());
    void Promise.allSettled(returns);
    let failure: unknown = null;
    await submitted.catch((error: unknown) => (failure = error));
    const isTrusted = failure === null;
    for (const [i, piece] of pieces.entries()) {
      try {
        await returns[i];
        if (this.#isStopped) return;
        if (comesDown && isTrusted) await piece.bringRound(this.#slices);
        else if (comesDown) await piece.keepOld(this.#slices);
      } catch (error) {
        failure ??= error; // the others have to come round all the same
      }
    }
    if (this.#isStopped) return;
    if (failure !== null) throw await this.#named(failure);
  }

  /** A mapping that is refused does not say why; a loss of the device is announced after it. */
  async #named(failure: unknown): Promise<unknown> {
    if (failure instanceof GpuError) return failure;
    try {
      await this.#errors.settled();
    } catch (named) {
      return named;
    }
    return failure;
  }
}
