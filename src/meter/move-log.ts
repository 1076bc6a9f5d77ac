// Moves of bytes, as many as fit: a log that is full replaces its oldest move.

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
export class MoveLog {
  /** A ring once it is full; the oldest move is then at `#next`. */
  readonly #moves: Move[] = [];
  readonly #before = new Float64Array(CATEGORIES.length);
  #next = 0;

  /** `start`: the bytes held now. */
  constructor(start: Float64Array) {
    this.#before.set(start);
  }

  get isFull(): boolean {
    return this.#moves.length === MOVES_KEPT;
  }

  push(move: Move): void {
    const replaced = this.#moves[this.#next];
    if (replaced !== undefined) applyMove(this.#before, replaced);
    this.#moves[this.#next] = move;
    this.#next = (this.#next + 1) % MOVES_KEPT;
  }

  columns(): MoveColumns {
    const oldest = this.isFull ? this.#next : 0;
    const moves = [...this.#moves.slice(oldest), ...this.#moves.slice(0, oldest)];
    return moveColumns(this.#before, moves);
  }
}
