// What becomes of weights that stall: a warning, an error, and the numbers for `stats()`. One meter a format, since
// formats round differently.

import type { ValueFormat } from '../../workers/codecs/value-format.js';
import { SlowlaneError } from '../checks/errors.js';
import { StallMeter, type StallSample, type StallSink } from '../slow/stall.js';

export const STALL_POLICIES = ['throw', 'warn', 'ignore'] as const;

/** What happens when slow weights do not show the movement that syncs want. */
export type StallPolicy = (typeof STALL_POLICIES)[number];

export interface StallStats {
  /** Of the movement that syncs wanted lately, the share that stored values did not show; about 0 if none is lost. */
  readonly share: number;
  /** Of the sampled weights that were to move lately, the share whose stored value stayed the same. */
  readonly unmoved: number;
  /** Weights that were sampled and were to move, over all syncs. */
  readonly samples: number;
}

const WARN_ABOVE = 0.05;
const THROW_ABOVE = 0.5;

interface Watched {
  readonly format: ValueFormat;
  readonly meter: StallMeter;
  hasWarned: boolean;
  hasThrown: boolean;
}

export class StallWatch implements StallSink {
  readonly #policy: StallPolicy;
  readonly #watched = new Map<ValueFormat, Watched>();

  constructor(policy: StallPolicy) {
    this.#policy = policy;
  }

  /** Where stores are to bring their samples; null: they need not take any. */
  get sink(): StallSink | null {
    return this.#policy === 'ignore' ? null : this;
  }

  add(samples: readonly StallSample[]): void {
    for (const format of new Set(samples.map((sample) => sample.format))) {
      this.#of(format).meter.add(samples.filter((sample) => sample.format === format));
    }
  }

  /** What was seen so far is of another run. */
  startOver(): void {
    this.#watched.clear();
  }

  /**
   * After a sync that is complete.
   *
   * @throws SlowlaneError STALLED, once: not again before the stored values have shown the movement in between.
   */
  judge(step: number): void {
    for (const watched of this.#watched.values()) {
      const { proved, share } = watched.meter;
      if (share <= WARN_ABOVE) watched.hasThrown = false;
      if (this.#policy === 'throw' && proved > THROW_ABOVE && !watched.hasThrown) {
        watched.hasThrown = true;
        watched.hasWarned = true;
        throw stalled(watched, step);
      }
      if (proved > WARN_ABOVE && !watched.hasWarned) {
        watched.hasWarned = true;
        console.warn(`slowlane: ${told(watched, step)}`);
      }
    }
  }

  get stats(): StallStats {
    const meters = [...this.#watched.values()].map(({ meter }) => meter);
    const sum = (of: (meter: StallMeter) => number) =>
      meters.reduce((total, meter) => total + of(meter), 0);
    const wanted = sum(({ sums }) => sums.wanted);
    const count = sum(({ sums }) => sums.count);
    return {
      share: wanted === 0 ? 0 : sum(({ sums }) => sums.lost) / wanted,
      unmoved: count === 0 ? 0 : sum(({ sums }) => sums.unmoved) / count,
      samples: sum(({ samples }) => samples),
    };
  }

  #of(format: ValueFormat): Watched {
    let watched = this.#watched.get(format);
    if (!watched) {
      watched = { format, meter: new StallMeter(), hasWarned: false, hasThrown: false };
      this.#watched.set(format, watched);
    }
    return watched;
  }
}

function stalled(watched: Watched, step: number): SlowlaneError {
  const { format, meter } = watched;
  const { share, proved, unmoved, samples } = meter;
  return new SlowlaneError(
    'STALLED',
    `${told(watched, step)} This sync is complete, so training can go on; stall: 'warn' does without this error.`,
    { format, share, proved, unmoved, samples, step },
  );
}

function told({ format, meter }: Watched, step: number): string {
  const { share, proved, unmoved, samples } = meter;
  return (
    `Slow weights in ${format} stall: of the movement that syncs wanted, ${percent(share)} was lost to rounding up to ` +
    `step ${step} (at least ${percent(proved)}, by ${samples} samples; ${percent(unmoved)} of them did not move). ` +
    `Let a sync move weights further: ${REMEDY[format]}a larger slowStepSize, syncPeriod or learning rate.`
  );
}

const finer = (formats: string) => `take ${formats}, or `;

const REMEDY: Readonly<Record<ValueFormat, string>> = {
  f32: '',
  f16r8: finer("slow: 'host:f32'"),
  f16: finer("slow: 'host:f16r8' or 'host:f32'"),
  bf16: finer("slow: 'host:f16r8' or 'host:f32'"),
  int8: finer("slow: 'host:f16r8' or 'host:f32'"),
};

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
