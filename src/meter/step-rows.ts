// A whole run in a bounded number of rows: the bytes held when each row's first step began, and when most was in use.
// The pool does not count as in use: with it the sum hardly changes during a run. If the rows run out, each two
// neighbours become one.

import { CATEGORIES } from '../engine/categories.js';
import type { StepColumns } from './timeline-data.js';

/** The most rows that a run has. */
export const MAX_ROWS = 512;

interface Row {
  readonly step: number;
  readonly begin: Float64Array;
  readonly peak: Float64Array;
  usedBytes: number;
  peakPhase: number;
  peakStep: number;
}

export class StepRows {
  #rows: Row[] = [];
  #stepsPerRow = 1;

  /** `step` begins with `bytes`. */
  begin(step: number, bytes: Float64Array, used: number, phase: number): void {
    const last = this.#rows.at(-1);
    if (last !== undefined && step < last.step + this.#stepsPerRow) return;
    if (this.#rows.length === MAX_ROWS) this.#halve();
    this.#rows.push({
      step,
      begin: bytes.slice(),
      peak: bytes.slice(),
      usedBytes: used,
      peakPhase: phase,
      peakStep: step,
    });
  }

  /** `bytes` are held in `step`, the last one that began. */
  note(step: number, bytes: Float64Array, used: number, phase: number): void {
    const row = this.#rows.at(-1);
    if (row === undefined || used <= row.usedBytes) return;
    row.peak.set(bytes);
    row.usedBytes = used;
    row.peakPhase = phase;
    row.peakStep = step;
  }

  columns(): StepColumns {
    const rows = this.#rows;
    const byCategory = (bytesOf: (row: Row) => Float64Array) =>
      CATEGORIES.map((_, at) => rows.map((row) => bytesOf(row)[at] ?? 0));
    return {
      stepsPerRow: this.#stepsPerRow,
      step: rows.map(({ step }) => step),
      begin: byCategory(({ begin }) => begin),
      peak: byCategory(({ peak }) => peak),
      peakPhase: rows.map(({ peakPhase }) => peakPhase),
      peakStep: rows.map(({ peakStep }) => peakStep),
    };
  }

  #halve(): void {
    this.#stepsPerRow *= 2;
    const halved: Row[] = [];
    for (const row of this.#rows) {
      const last = halved.at(-1);
      // Steps may be counted from anywhere and left out: what counts is which ones belong together.
      if (last === undefined || row.step >= last.step + this.#stepsPerRow) halved.push(row);
      else if (row.usedBytes > last.usedBytes) {
        const { step, begin } = last;
        halved[halved.length - 1] = { ...row, step, begin };
      }
    }
    this.#rows = halved;
    if (halved.length === MAX_ROWS) this.#halve();
  }
}
