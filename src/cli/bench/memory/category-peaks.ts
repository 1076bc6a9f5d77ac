// What the buffers of slowlane's engine are for: when the most are allocated, and at most each.
//
// The meter tells when something moves. What for, the engine is asked: inside a step the meter counts a new
// value of a variable as what it was made as.

import { type Breakdown, CATEGORIES } from '../../../engine/categories.js';
import type { WebGPUEngine } from '../../../engines/webgpu/start.js';
import { type Meter, meter } from '../../../index.js';

export class CategoryPeaks {
  readonly #engine: WebGPUEngine;
  readonly #meter: Meter;
  #peakBytes: number;
  #atPeak: Breakdown;
  #highest: Breakdown;

  /** `engine` is the current backend. */
  constructor(engine: WebGPUEngine) {
    this.#engine = engine;
    const { peakBytes, by } = engine.memory();
    this.#peakBytes = peakBytes;
    this.#atPeak = by;
    this.#highest = by;
    this.#meter = meter({ onEvent: () => this.#note() });
  }

  /** Adds up to the engine's `peakBytes`. */
  get atPeak(): Breakdown {
    this.#meter.timeline(); // throws what stopped the notes, if something did
    return this.#atPeak;
  }

  /** Each at a time of its own. */
  get highest(): Breakdown {
    return this.#highest;
  }

  /** From now on: a weight that is being uploaded is not known for one yet. */
  restartHighest(): void {
    this.#highest = this.#engine.memory().by;
  }

  #note(): void {
    const { peakBytes, by } = this.#engine.memory();
    if (peakBytes > this.#peakBytes) {
      this.#peakBytes = peakBytes;
      this.#atPeak = by;
    }
    const highest = { ...this.#highest };
    for (const name of CATEGORIES) highest[name] = Math.max(highest[name], by[name]);
    this.#highest = highest;
  }
}
