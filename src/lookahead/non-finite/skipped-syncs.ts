// Warns when syncs are left out for ever: with nonFinite: 'skip' the fast weights and the inner state go on as they are,
// and a NaN in them stays one.

import type { BadValue } from './bad-value.js';

/** Skipped syncs in a row, each because of the same weight or slot, of which one warning is given. */
export const SKIPS_TO_WARN = 3;

export class SkippedSyncs {
  #inARow = 0;
  #last: string | null = null;

  /** A sync was left out because of `bad`. */
  add({ text, isExcluded = false }: BadValue): void {
    this.#inARow = text === this.#last ? this.#inARow + 1 : 1;
    this.#last = text;
    if (this.#inARow !== SKIPS_TO_WARN) return;
    const wayOut = isExcluded
      ? 'it is excluded from Lookahead, so give it finite values, or load a saved state.'
      : "await discard() goes back to the slow weights, and nonFinite: 'restore' does so whenever a sync finds such a value.";
    console.warn(
      `slowlane: ${text} has held a NaN or an infinity at ${SKIPS_TO_WARN} syncs in a row, so nonFinite: 'skip' has left them ` +
        `all out, and training goes on without slow weights. It does not recover by itself: ${wayOut}`,
    );
  }

  /** A sync was done, or fast and slow weights were made equal: what is found from now on is new. */
  clear(): void {
    this.#inARow = 0;
    this.#last = null;
  }
}
