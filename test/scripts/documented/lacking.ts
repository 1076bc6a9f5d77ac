/**
 * Names that each lack one thing.
 *
 * @module lacking
 */

import { SlowlaneError } from '#src/checks/errors.js';

export interface NoDescription {
  /** In bytes. */
  readonly size: number;
}

/** Its number could be anything. */
export interface NoUnit {
  /** How long to wait. */
  readonly limit: number;
  /** The same, as milliseconds. */
  readonly longLimit: number;
}

/**
 * Throws two functions further down.
 *
 * @example
 * noThrows(1);
 */
export function noThrows(limitMs: number): void {
  first(limitMs);
}

/** A kind of error is chosen at run time. */
export class NoThrowsInMethod {
  /** Checks a number of bytes. */
  check(bytes: unknown): void {
    const kind = typeof bytes === 'number' ? RangeError : TypeError;
    throw new kind('wrong');
  }

  /** @throws TypeError, but not the other one. */
  get half(): boolean {
    this.check(0);
    return true;
  }
}

/**
 * Names a code that went.
 *
 * @throws SlowlaneError NO_SUCH_CODE
 * @example
 * wrongCode();
 */
export function wrongCode(): void {
  second();
}

/** Nobody sees how it is called. */
export function noExample(): void {}

function first(limitMs: number): void {
  if (limitMs < 0) second();
}

function second(): never {
  throw new SlowlaneError('DISPOSED', 'Make a new one.');
}
