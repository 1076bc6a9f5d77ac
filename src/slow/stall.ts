// How much of the movement that syncs want of the slow weights do the stored values show? Pure arithmetic on samples.
//
// By count this says nothing about stochastic rounding: at a small learning rate hardly a weight moves at a sync, and
// those that do make up for the others. So movement is summed: a sync wants α(θ − φ) of an element, the stored value
// shows φ' − φ, and what is missing, counted in the direction wanted, is *lost*. Unbiased rounding loses 0 in the mean
// at any learning rate; rounding to nearest, too coarse for the movement, loses all of it.
//
// A few samples do not tell the two apart: where one element in 10,000 is to move, none of 256 moves either way. What
// is lost is *proved* only as far as unbiased rounding could not lose as much: by Freedman's inequality ("On tail
// probabilities for martingales", 1975), a sum of steps of mean 0, each at most M, with variances that sum to V, exceeds
// ML/3 + √((ML/3)² + 2VL) with a probability of at most e^−L. The variance is that of the rounding, (x − below)(above − x)
// for a value between two stored ones. That of the samples would not do: where nothing has moved yet, they do not vary.

import { largestBits } from '../../workers/codecs/block-int8.js';
import { neighboursIn } from '../../workers/codecs/neighbours.js';
import type { ValueFormat } from '../../workers/codecs/value-format.js';

/** Neighbouring elements of one weight at one sync; of int8 one block. */
export interface StallSample {
  readonly format: ValueFormat;
  /** The paper's α. */
  readonly stepSize: number;
  /** Fast weights before the blend. */
  readonly fast: Float32Array;
  /** Stored slow weights, before and after the blend. */
  readonly before: Float32Array;
  readonly after: Float32Array;
}

/** Takes the samples of one sync. */
export interface StallSink {
  add(samples: readonly StallSample[]): void;
}

/** The weight of the sync before against that of this one: the last 100 syncs count, in the main. */
const KEPT = 0.99;
/** L: 2·10⁻⁹. A long run looks at its meter a million times. */
const CERTAINTY = 20;
/**
 * What wants less than this share of its own peak is not judged: weights that have converged hover about a last place
 * of float32, and lose that.
 */
const LEAST_OF_PEAK = 1e-3;

/** Of one format: the movement of the last syncs that had samples of it. */
export class StallMeter {
  readonly #sums = { wanted: 0, lost: 0, variance: 0, most: 0, count: 0, unmoved: 0 };
  #peak = 0;
  #samples = 0;

  /** Adds the samples of one sync. Elements of which nothing is wanted do not count. */
  add(samples: readonly StallSample[]): void {
    const sums = this.#sums;
    sums.wanted *= KEPT;
    sums.lost *= KEPT;
    sums.variance *= KEPT ** 2;
    sums.most *= KEPT;
    sums.count *= KEPT;
    sums.unmoved *= KEPT;
    for (const sample of samples) this.#add(sample);
    this.#peak = Math.max(this.#peak, sums.wanted);
  }

  /** Sums over what the meter remembers, to be added to those of others. */
  get sums(): { readonly [K in 'wanted' | 'lost' | 'count' | 'unmoved']: number } {
    return this.#sums;
  }

  /** Elements that were looked at and had to move, ever. */
  get samples(): number {
    return this.#samples;
  }

  /** The share of the wanted movement that is lost: an estimate, which may be below 0. */
  get share(): number {
    const { wanted, lost } = this.#sums;
    return wanted === 0 ? 0 : lost / wanted;
  }

  /** By count: the share of those elements that did not move at all. */
  get unmoved(): number {
    const { count, unmoved } = this.#sums;
    return count === 0 ? 0 : unmoved / count;
  }

  /** How much of `share` unbiased rounding cannot explain; at least 0. */
  get proved(): number {
    const { wanted, lost, variance, most } = this.#sums;
    if (wanted === 0 || wanted < LEAST_OF_PEAK * this.#peak) return 0;
    const third = (most * CERTAINTY) / 3;
    const chance = third + Math.sqrt(third ** 2 + 2 * variance * CERTAINTY);
    return Math.max(0, (lost - chance) / wanted);
  }

  #add({ format, stepSize, fast, before, after }: StallSample): void {
    const sums = this.#sums;
    const blend = before.map((s, i) => s + stepSize * (fast[i]! - s));
    const largest = format === 'int8' ? largestBits(blend) : 0;
    for (let i = 0; i < before.length; i++) {
      const slow = before[i]!;
      const wanted = stepSize * (fast[i]! - slow);
      const shown = after[i]! - slow;
      if (wanted === 0 || !Number.isFinite(wanted - shown)) continue;
      sums.wanted += Math.abs(wanted);
      sums.lost += (wanted - shown) * Math.sign(wanted);
      sums.count++;
      this.#samples++;
      if (shown === 0) sums.unmoved++;
      // The blend is a float32 first, and that is stored.
      const exact = slow + wanted;
      let most = this.#round('f32', exact, wanted, 0);
      if (format !== 'f32') most += this.#round(format, blend[i]!, wanted, largest);
      sums.most = Math.max(sums.most, most);
    }
  }

  /** Adds the variance of rounding `x`; returns the most that it can lose. */
  #round(format: ValueFormat, x: number, wanted: number, largest: number): number {
    const [one, other] = neighboursIn(format, x, largest);
    this.#sums.variance += Math.abs((x - one) * (other - x));
    return wanted > 0 ? x - Math.min(one, other) : Math.max(one, other) - x;
  }
}
