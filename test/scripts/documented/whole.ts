/**
 * Names that are documented as the rules demand.
 *
 * @module whole
 */

import { SlowlaneError } from '#src/checks/errors.js';

/** Options of `wait`. */
export interface WaitOptions {
  /** How long to wait. */
  readonly limitMs: number;
  /** How often to look, in steps. */
  readonly every: number;
}

/**
 * Waits.
 *
 * @throws RangeError if the limit is below 0.
 * @example
 * wait({ limitMs: 0, every: 1 });
 */
export function wait(options: WaitOptions): void {
  checkLimit(options.limitMs);
}

/**
 * Looks once.
 *
 * @throws SlowlaneError DISPOSED
 * @example
 * look();
 */
export function look(): void {
  throw new SlowlaneError('DISPOSED', 'Make a new one.');
}

/**
 * Looks, and says whether it worked: what `look` throws is caught.
 *
 * @example
 * lookSafely();
 */
export function lookSafely(): boolean {
  try {
    look();
    return true;
  } catch {
    return false;
  }
}

function checkLimit(limitMs: number): void {
  if (limitMs < 0) throw new RangeError(`limitMs must be ≥ 0, got ${limitMs}.`);
}
