// Maps pairs again that the device has finished with, and copies each download to its upload buffer on the host.

import type { DeviceErrors } from '../device-errors.js';
import type { MappedPair } from './mapped-pair.js';
import { pause, Slices } from './slices.js';

/** Pairs that were handed to the device. */
export interface HandedOver<P extends MappedPair> {
  readonly pieces: readonly P[];
  /** Rejects if the device failed. */
  readonly submitted: Promise<void>;
  /** False if only the upload buffers were handed over. */
  readonly downloads: boolean;
}

export interface ReadbackHooks {
  /** Gets the milliseconds of each slice of copying. */
  took(elapsedMs: number): void;
  /** Called when a readback ends, unless it was stopped. */
  over(): void;
}

export class Readback<P extends MappedPair> {
  readonly #errors: DeviceErrors;
  readonly #slices: Slices;
  readonly #hooks: ReadbackHooks;
  readonly #inFlight = new Set<P>();
  #running: Promise<void> | null = null;
  /** Of a readback in the background. */
  #failure: unknown = null;
  #isStopped = false;

  constructor(errors: DeviceErrors, hooks: ReadbackHooks) {
    this.#errors = errors;
    this.#hooks = hooks;
    this.#slices = Slices.beside((elapsedMs) => hooks.took(elapsedMs));
  }

  /** True while a readback runs. */
  get isRunning(): boolean {
    return this.#running !== null;
  }

  /** True for a pair that nobody may touch now. */
  isInFlight(piece: P): boolean {
    return this.#inFlight.has(piece);
  }

  /** Resolves when the downloads are copied. If it rejects, the pairs hold their previous bytes. */
  run(given: HandedOver<P>): Promise<void> {
    for (const piece of given.pieces) this.#inFlight.add(piece);
    const running = this.#copyBack(given).finally(() => {
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

  /** Resolves when no readback runs; rejects if one in the background failed. */
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

  async #copyBack({ pieces, submitted, downloads }: HandedOver<P>): Promise<void> {
    // All at once, so that each is there as soon as the device is done with it.
    const returns = pieces.map((piece) =>
      piece.map().catch(async (error: unknown) => {
        throw await this.#errors.named(error);
      }),
    );
    void Promise.allSettled(returns);
    let failure: unknown = null;
    await submitted.catch((error: unknown) => (failure = error));
    const isTrusted = failure === null;
    for (const [i, piece] of pieces.entries()) {
      try {
        await returns[i];
        if (this.#isStopped) return;
        if (downloads && isTrusted) await piece.keepDownload(this.#slices);
        else if (downloads) await piece.keepUpload(this.#slices);
      } catch (error) {
        failure ??= error; // the others are copied all the same
      }
    }
    if (this.#isStopped) return;
    if (failure !== null) throw failure;
  }
}
