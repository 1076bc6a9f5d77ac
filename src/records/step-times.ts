// How long each step took and how much of that its syncs took, in a bounded number of rows. When the rows run out,
// each pair of neighbours is merged into one.

import { Type } from 'typebox';

import { amount, count, type Described, list, object } from '../checks/schema.js';

export const SYNC_PHASES = ['check', 'wait', 'pull', 'blend', 'push'] as const;
export type SyncPhase = (typeof SYNC_PHASES)[number];

/** Milliseconds of all syncs so far, by phase. */
export type SyncMs = Readonly<Record<SyncPhase, number>>;

const column = (description?: string) => list(Type.Number(), description);

export const STEP_TIMES = object(
  {
    stepsPerRow: Type.Integer({ minimum: 1 }),
    stepsInLastRow: count('Steps in the last row: as many as in the others, or fewer.'),
    ms: list(amount(), "Mean of the row's steps, syncs included."),
    slowestMs: list(amount(), "The slowest of the row's steps."),
    syncs: list(count()),
    syncMs: column("All of the row's syncs together."),
    syncPhases: object(
      { check: column(), wait: column(), pull: column(), blend: column(), push: column() },
      'The parts of syncMs. Phases may overlap, so they can add up to more than syncMs.',
    ),
  },
  'Columns with one row for one or more steps; milliseconds to the hundredth.',
);

export type StepTimes = Described<typeof STEP_TIMES>;

export const MAX_TIME_ROWS = 2048;

interface Row {
  steps: number;
  ms: number;
  slowestMs: number;
  syncs: number;
  syncMs: number;
  readonly phases: Record<SyncPhase, number>;
}

/** Totals of all syncs so far. */
export interface SyncTotals {
  readonly syncs: number;
  readonly totalMs: number;
  readonly phases: SyncMs;
}

const NO_SYNCS: SyncTotals = {
  syncs: 0,
  totalMs: 0,
  phases: { check: 0, wait: 0, pull: 0, blend: 0, push: 0 },
};

export class StepClock {
  #rows: Row[] = [];
  #stepsPerRow = 1;
  #before = NO_SYNCS;

  /** Adds a step that took `ms`; `now` are the totals of all syncs so far. */
  add(ms: number, now: SyncTotals = NO_SYNCS): void {
    const phases = { ...NO_SYNCS.phases };
    for (const phase of SYNC_PHASES) phases[phase] = now.phases[phase] - this.#before.phases[phase];
    const syncs = now.syncs - this.#before.syncs;
    const syncMs = now.totalMs - this.#before.totalMs;
    this.#before = now;
    const row: Row = { steps: 1, ms, slowestMs: ms, syncs, syncMs, phases };
    const last = this.#rows.at(-1);
    if (last !== undefined && last.steps < this.#stepsPerRow) merge(last, row);
    else {
      if (this.#rows.length === MAX_TIME_ROWS) this.#halve();
      this.#rows.push(row);
    }
  }

  columns(): StepTimes {
    const rows = this.#rows;
    const column = (of: (row: Row) => number) => rows.map((row) => hundredths(of(row)));
    return {
      stepsPerRow: this.#stepsPerRow,
      stepsInLastRow: rows.at(-1)?.steps ?? 0,
      ms: column(({ ms, steps }) => ms / steps),
      slowestMs: column(({ slowestMs }) => slowestMs),
      syncs: rows.map(({ syncs }) => syncs),
      syncMs: column(({ syncMs }) => syncMs),
      syncPhases: Object.fromEntries(
        SYNC_PHASES.map((phase) => [phase, column(({ phases }) => phases[phase])]),
      ) as Record<SyncPhase, number[]>,
    };
  }

  #halve(): void {
    const halved: Row[] = [];
    for (const [at, row] of this.#rows.entries()) {
      const last = halved.at(-1);
      if (at % 2 === 0 || last === undefined) halved.push(row);
      else merge(last, row);
    }
    this.#rows = halved;
    this.#stepsPerRow *= 2;
  }
}

function merge(into: Row, row: Row): void {
  into.steps += row.steps;
  into.ms += row.ms;
  into.slowestMs = Math.max(into.slowestMs, row.slowestMs);
  into.syncs += row.syncs;
  into.syncMs += row.syncMs;
  for (const phase of SYNC_PHASES) into.phases[phase] += row.phases[phase];
}

function hundredths(ms: number): number {
  return Math.round(100 * ms) / 100;
}
