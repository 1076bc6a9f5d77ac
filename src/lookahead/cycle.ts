// Counts inner steps and says when a sync is due. Pure arithmetic.

import { SlowlaneError } from '../checks/errors.js';

export class SyncCycle {
  /** The paper's k. */
  readonly #period: number;
  #steps = 0;
  #syncs = 0;
  /** The step at which this cycle began; null before the first weight, when there is nothing to sync. */
  #begin: number | null = null;

  constructor(period: number) {
    this.#period = period;
  }

  /** Inner steps that were applied. */
  get steps(): number {
    return this.#steps;
  }

  /** Syncs that were done: the index that step size schedules are asked with. */
  get syncs(): number {
    return this.#syncs;
  }

  /** True if a sync has to come before the next step. */
  get isDue(): boolean {
    return this.#sinceBegin >= this.#period;
  }

  /** True if the next step makes a sync due. */
  get isEnding(): boolean {
    return this.#begin !== null && this.#sinceBegin + 1 >= this.#period;
  }

  /** True if weights have stepped since the cycle began. */
  get hasMoved(): boolean {
    return this.#sinceBegin > 0;
  }

  /** The first weight begins the first cycle. Later ones join the cycle as it is. */
  join(): void {
    this.#begin ??= this.#steps;
  }

  step(): void {
    this.#steps++;
  }

  /** A sync was done: the next cycle begins. */
  synced(): void {
    this.#syncs++;
    this.restart();
  }

  /** Fast and slow weights were made equal, or a sync was left out: a new cycle begins. */
  restart(): void {
    if (this.#begin !== null) this.#begin = this.#steps;
  }

  /** Whole numbers: steps, then, once there is a cycle, its period, its first step and the syncs. */
  save(): number[] {
    if (this.#begin === null) return [this.#steps];
    return [this.#steps, this.#period, this.#begin, this.#syncs];
  }

  /** Puts back what `save` gave. Under another period a new cycle begins, and syncs count from 0. */
  load(saved: readonly number[]): void {
    checkCounters(saved);
    const [steps = 0, period, begin = steps, syncs = 0] = saved;
    const isSame = period === this.#period;
    this.#steps = steps;
    this.#begin = isSame ? begin : null;
    this.#syncs = isSame ? syncs : 0;
  }

  get #sinceBegin(): number {
    return this.#begin === null ? 0 : this.#steps - this.#begin;
  }
}

/** @throws SlowlaneError STATE_MISMATCH if this is not what `SyncCycle.save` gave. */
export function checkCounters(saved: readonly number[]): void {
  const [steps = 0, period = 1, begin = steps] = saved;
  const isFit =
    (saved.length === 1 || saved.length === 4) &&
    saved.every((value) => Number.isInteger(value) && value >= 0) &&
    begin <= steps &&
    steps - begin < period; // a sync that is due cannot be saved
  if (isFit) return;
  throw new SlowlaneError(
    'STATE_MISMATCH',
    `These are not the counters of a Lookahead: [${saved.join(', ')}].`,
  );
}
