// Counts inner steps and says which weights are due for a sync. Pure arithmetic.
//
// Weights with the same sync period form a group. A group is due `period` steps after its last sync.

import { SlowlaneError } from '../checks/errors.js';

interface Group {
  lastSync: number;
  syncs: number;
}

export class SyncCycle {
  #steps = 0;
  readonly #groups = new Map<number, Group>();
  /** Groups that `load` brought and that no weight has joined yet. */
  readonly #loaded = new Map<number, Group>();

  /** Inner steps that were applied. */
  get steps(): number {
    return this.#steps;
  }

  /** Syncs that were done, over all groups. */
  get syncs(): number {
    return [...this.#groups.values()].reduce((sum, { syncs }) => sum + syncs, 0);
  }

  /** Periods that occur, in the order in which they were first seen. */
  get periods(): readonly number[] {
    return [...this.#groups.keys()];
  }

  /** Makes a group for `period` if there is none; its cycle begins now, or where `load` says. */
  join(period: number): void {
    if (this.#groups.has(period)) return;
    this.#groups.set(period, this.#loaded.get(period) ?? { lastSync: this.#steps, syncs: 0 });
    this.#loaded.delete(period);
  }

  step(): void {
    this.#steps++;
  }

  /** Periods of the groups that have to sync before the next step. */
  due(): readonly number[] {
    return this.periods.filter((period) => this.#steps - this.#group(period).lastSync >= period);
  }

  /** True if the next step leaves a group due. */
  get isEnding(): boolean {
    return this.periods.some((period) => this.#steps + 1 - this.#group(period).lastSync >= period);
  }

  /** Periods of the groups that have stepped since their last sync. */
  moved(): readonly number[] {
    return this.periods.filter((period) => this.#steps > this.#group(period).lastSync);
  }

  /** How many syncs the group has had: the index that step size schedules are asked with. */
  syncIndex(period: number): number {
    return this.#group(period).syncs;
  }

  /** The group has synced: its next cycle begins. */
  synced(period: number): void {
    const group = this.#group(period);
    group.lastSync = this.#steps;
    group.syncs++;
  }

  /** The group leaves one sync out: its next cycle begins. */
  skipped(period: number): void {
    this.#group(period).lastSync = this.#steps;
  }

  /** Fast and slow weights were made equal: all cycles begin anew. */
  restart(): void {
    for (const group of this.#loaded.values()) group.lastSync = this.#steps;
    for (const group of this.#groups.values()) group.lastSync = this.#steps;
  }

  /** All of it as whole numbers: steps, then period, last sync and syncs of each group. */
  save(): number[] {
    const waiting = [...this.#loaded].filter(
      ([period, { lastSync }]) => this.#steps - lastSync < period,
    );
    const groups = [...this.#groups, ...waiting];
    return [
      this.#steps,
      ...groups.flatMap(([period, { lastSync, syncs }]) => [period, lastSync, syncs]),
    ];
  }

  /** Puts back what `save` gave. Allowed only before the first `join`. */
  load(saved: readonly number[]): void {
    checkCounters(saved);
    const [steps = 0, ...groups] = saved;
    this.#steps = steps;
    this.#loaded.clear();
    for (let i = 0; i < groups.length; i += 3) {
      const [period = 1, lastSync = steps, syncs = 0] = groups.slice(i, i + 3);
      this.#loaded.set(period, { lastSync, syncs });
    }
  }

  #group(period: number): Group {
    const group = this.#groups.get(period);
    if (!group) throw new Error(`No weight has sync period ${period}.`);
    return group;
  }
}

/** @throws SlowlaneError STATE_MISMATCH if this is not what `SyncCycle.save` gave. */
export function checkCounters(saved: readonly number[]): void {
  const [steps = -1, ...groups] = saved;
  const isCount = (value: number) => Number.isInteger(value) && value >= 0;
  let isFit = saved.every(isCount) && steps >= 0 && groups.length % 3 === 0;
  for (let i = 0; i < groups.length; i += 3) {
    const [period = 0, lastSync = 0] = groups.slice(i, i + 2);
    // A sync that is due cannot be saved.
    isFit &&= period >= 1 && lastSync <= steps && steps - lastSync < period;
  }
  if (isFit) return;
  throw new SlowlaneError(
    'STATE_MISMATCH',
    `These are not the counters of a Lookahead: [${saved.join(', ')}].`,
  );
}
