// What the buffers of slowlane's engine are for: when the most are allocated, and at most each.

import { type Breakdown, CATEGORIES } from '../../device/meter/categories.js';
import type { WebGPUEngine } from '../../device/webgpu/start.js';

export class CategoryPeaks {
  readonly #engine: WebGPUEngine;
  #peakBytes: number;
  #atPeak: Breakdown;
  #highest: Breakdown;

  constructor(engine: WebGPUEngine) {
    this.#engine = engine;
    const { peakBytes, by } = engine.memory();
    this.#peakBytes = peakBytes;
    this.#atPeak = by;
    this.#highest = by;
    const { pool } = engine.backend;
    const acquire = pool.acquireBuffer.bind(pool);
    const release = pool.releaseBuffer.bind(pool);
    pool.acquireBuffer = (...given) => {
      const buffer = acquire(...given);
      this.#note(); // afterwards: the new one has its category
      return buffer;
    };
    pool.releaseBuffer = (...given) => {
      this.#note(); // what it was for is known by now, if not when it was made
      release(...given);
      this.#note();
    };
  }

  /** Adds up to the engine's `peakBytes`. */
  get atPeak(): Breakdown {
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
