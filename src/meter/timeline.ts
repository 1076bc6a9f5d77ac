// What a meter has seen: every move of the beginning and of the end of a run, and all of it in rows of
// steps. Takes less than a mebibyte, however long the run is.

import {
  type Breakdown,
  CATEGORIES,
  type Phase,
  PHASES,
  type Place,
  PLACES,
} from '../engine/categories.js';
import type { MeterSink, MeterSource } from '../engine/meter-source.js';
import { applyMove, MoveLog } from './move-log.js';
import { StepRows } from './step-rows.js';
import type { TimelineData } from './timeline-data.js';

/** Bytes that move from one place to another. */
export interface MeterEvent {
  /** The number of the step. */
  readonly step: number;
  /** The phase of the step. */
  readonly phase: Phase;
  /** Where the bytes were: a category, or `free` for an allocation. */
  readonly from: Place;
  /** Where they are now: a category, or `free` for a release. */
  readonly to: Place;
  /** How many bytes. */
  readonly bytes: number;
  /** Bytes after the event, by category. */
  readonly after: Breakdown;
}

const PHASE_AT = new Map(PHASES.map((phase, at) => [phase, at]));
const POOL = CATEGORIES.indexOf('pool');
const PLACE_AT = new Map(PLACES.map((place, at) => [place, at]));

export class Timeline implements MeterSink {
  readonly #bytes = new Float64Array(CATEGORIES.length);
  readonly #rows = new StepRows();
  readonly #first = new MoveLog(this.#bytes);
  #listener: ((event: MeterEvent) => void) | undefined;
  #complaint: { readonly thrown: unknown } | null = null;
  #last: MoveLog | null = null;
  #step = 0;
  #moves = 0;
  #total = 0;
  readonly #peak = {
    step: 0,
    phase: 0,
    total: 0,
    used: 0,
    bytes: new Float64Array(CATEGORIES.length),
  };

  constructor(listener?: (event: MeterEvent) => void) {
    this.#listener = listener;
  }

  get bytes(): Breakdown {
    return Object.fromEntries(
      CATEGORIES.map((category, at) => [category, this.#bytes[at] ?? 0]),
    ) as Record<(typeof CATEGORIES)[number], number>;
  }

  get step(): number {
    return this.#step;
  }

  beginStep(step: number, phase: Phase): void {
    this.#step = step;
    this.#rows.begin(step, this.#bytes, this.#used, PHASE_AT.get(phase) ?? 0);
  }

  move(bytes: number, from: Place, to: Place, phase: Phase): void {
    if (from === to || bytes === 0) return;
    const phaseAt = PHASE_AT.get(phase) ?? 0;
    const move = {
      step: this.#step,
      phase: phaseAt,
      from: PLACE_AT.get(from) ?? 0,
      to: PLACE_AT.get(to) ?? 0,
      bytes,
    };
    // The log of the last moves begins with what the first ones left, before this move.
    if (!this.#first.isFull) this.#first.push(move);
    else (this.#last ??= new MoveLog(this.#bytes)).push(move);
    applyMove(this.#bytes, move);
    if (from === 'free') this.#total += bytes;
    if (to === 'free') this.#total -= bytes;
    this.#moves += 1;
    this.#rows.note(this.#step, this.#bytes, this.#used, phaseAt);
    this.#notePeak(phaseAt);
    if (this.#listener !== undefined) this.#tell({ step: this.#step, phase, from, to, bytes });
  }

  /** @throws the error of the listener, if it threw one; it was not called again. */
  data({ kind, budgetBytes }: Pick<MeterSource, 'kind' | 'budgetBytes'>): TimelineData {
    if (this.#complaint !== null) throw this.#complaint.thrown;
    return {
      version: 1,
      source: kind,
      categories: CATEGORIES,
      phases: PHASES,
      places: PLACES,
      budgetBytes: Number.isFinite(budgetBytes) ? budgetBytes : null,
      moves: this.#moves,
      peak: { step: this.#peak.step, phase: this.#peak.phase, bytes: [...this.#peak.bytes] },
      steps: this.#rows.columns(),
      first: this.#first.columns(),
      last: this.#last?.columns() ?? null,
    };
  }

  get #used(): number {
    return this.#total - (this.#bytes[POOL] ?? 0);
  }

  #notePeak(phase: number): void {
    const peak = this.#peak;
    const used = this.#used;
    if (this.#total < peak.total || (this.#total === peak.total && used <= peak.used)) return;
    peak.step = this.#step;
    peak.phase = phase;
    peak.total = this.#total;
    peak.used = used;
    peak.bytes.set(this.#bytes);
  }

  /** An allocation must not fail, or half of it, because somebody watches. */
  #tell(event: Omit<MeterEvent, 'after'>): void {
    try {
      this.#listener?.({ ...event, after: this.bytes });
    } catch (thrown) {
      this.#listener = undefined;
      this.#complaint = { thrown };
    }
  }
}
