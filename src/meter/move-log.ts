// Moves in columns of fixed length: the first ones, then a ring of the last ones.

import { CATEGORIES, PLACES } from '../engine/categories.js';
import type { MoveColumns } from './timeline-data.js';

/** One allocation or release, or a change of what a buffer is for: `bytes` leave one place for another. */
export interface Move {
  readonly step: number;
  /** At in PHASES. */
  readonly phase: number;
  /** At in PLACES. */
  readonly from: number;
  readonly to: number;
  readonly bytes: number;
}

/** So many of the first moves are kept, and as many of the last. */
export const MOVES_KEPT = 4096;

const FREE = PLACES.indexOf('free');

/** Bytes by category, `move` later. */
export function applyMove(bytes: Float64Array, { from, to, bytes: size }: Move): void {
  if (from !== FREE) bytes[from] = (bytes[from] ?? 0) - size;
  if (to !== FREE) bytes[to] = (bytes[to] ?? 0) + size;
}

/** `start`: bytes by category before the first move. */
export function moveColumns(start: Iterable<number>, moves: readonly Move[]): MoveColumns {
  return {
    start: [...start],
    step: moves.map(({ step }) => step),
    phase: moves.map(({ phase }) => phase),
    from: moves.map(({ from }) => from),
    to: moves.map(({ to }) => to),
    bytes: moves.map(({ bytes }) => bytes),
  };
}

/** Holds its last `MOVES_KEPT` moves, and what was held before them. */
export class MoveRing {
  readonly #steps = new Int32Array(MOVES_KEPT);
  readonly #phases = new Uint8Array(MOVES_KEPT);
  readonly #froms = new Uint8Array(MOVES_KEPT);
  readonly #tos = new Uint8Array(MOVES_KEPT);
  readonly #sizes = new Float64Array(MOVES_KEPT);
  readonly #before = new Float64Array(CATEGORIES.length);
  #next = 0;
  #length = 0;

  constructor(start: Float64Array) {
    this.#before.set(start);
  }

  get isFull(): boolean {
    return this.#length === MOVES_KEPT;
  }

  push(step: number, phase: number, from: number, to: number, bytes: number): void {
    const at = this.#next;
    if (this.isFull) applyMove(this.#before, this.#move(at));
    else this.#length += 1;
    this.#steps[at] = step;
    this.#phases[at] = phase;
    this.#froms[at] = from;
    this.#tos[at] = to;
    this.#sizes[at] = bytes;
    this.#next = (at + 1) % MOVES_KEPT;
  }

  columns(): MoveColumns {
    const first = this.isFull ? this.#next : 0;
    const moves = Array.from({ length: this.#length }, (_, i) =>
      this.#move((first + i) % MOVES_KEPT),
    );
    return moveColumns(this.#before, moves);
  }

  #move(at: number): Move {
    return {
      step: this.#steps[at] ?? 0,
      phase: this.#phases[at] ?? 0,
      from: this.#froms[at] ?? 0,
      to: this.#tos[at] ?? 0,
      bytes: this.#sizes[at] ?? 0,
    };
  }
}
