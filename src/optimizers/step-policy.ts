/**
 * What lives where and how long in the steps of one optimizer. What its caller left open a planner may decide,
 * until there are slots.
 */
import { checkAccumulate } from './gradient-means.js';
import { type Clipping, checkClipping } from '../formula/clipping.js';
import {
  type GradientLifetime,
  type MomentPolicy,
  checkLifetime,
  checkMoments,
} from './step-options.js';

/** The parts that a planner decides. */
export interface Lifetimes {
  readonly gradients: GradientLifetime;
  readonly moments: MomentPolicy;
}

/** What a planner has to know of an optimizer before its first step. */
export interface Plannable {
  /** Of the rule. */
  readonly name: string;
  /** Each of the size of the weight. */
  readonly slots: number;
  /** True if float32 slots take gradients of micro-batches; else there is one sum a weight. */
  readonly takesGradients: boolean;
  readonly accumulate: number;
  /** What its options leave no choice of. */
  readonly fixed: Partial<Lifetimes>;
  /** False once it has slots. */
  readonly isOpen: boolean;
  /** The choice comes later: restored state waits where every choice can take it from. */
  expectChoice(): void;
  choose(lifetimes: Lifetimes): void;
}

export class StepPolicy {
  readonly clipping: Clipping;
  readonly accumulate: number;
  /** What its caller gave. */
  readonly #given: Partial<Lifetimes>;
  #chosen: Partial<Lifetimes> = {};
  #awaitsChoice = false;

  /** Of `given`, the options as they came, it reads its own. */
  constructor(given: Readonly<Record<string, unknown>>) {
    const { clipValue, clipNorm, gradients, moments, accumulate = 1 } = given;
    this.clipping = checkClipping(clipValue, clipNorm);
    this.#given = {
      ...(gradients === undefined ? {} : { gradients: checkLifetime(gradients, this.clipping) }),
      ...(moments === undefined ? {} : { moments: checkMoments(moments) }),
    };
    this.accumulate = checkAccumulate(accumulate);
  }

  get gradients(): GradientLifetime {
    return this.#given.gradients ?? this.#chosen.gradients ?? 'keep';
  }

  get moments(): MomentPolicy {
    return this.#given.moments ?? this.#chosen.moments ?? 'device:f32';
  }

  get fixed(): Partial<Lifetimes> {
    return { ...(this.clipping.by === 'norm' ? { gradients: 'keep' } : {}), ...this.#given };
  }

  get awaitsChoice(): boolean {
    return this.#awaitsChoice;
  }

  expectChoice(): void {
    this.#awaitsChoice = true;
  }

  choose(lifetimes: Lifetimes): void {
    this.#chosen = lifetimes;
    this.#awaitsChoice = false;
  }

  /** What is not the default, and what was given while the rest is to be chosen: a copy leaves the same open. */
  config(): Record<string, string | number> {
    const { by } = this.clipping;
    const { gradients, moments } = this;
    const given = this.#awaitsChoice ? this.#given : {};
    return {
      ...(by === 'value' ? { clipValue: this.clipping.limit } : {}),
      ...(by === 'norm' ? { clipNorm: this.clipping.limit } : {}),
      ...(gradients === 'release' ? { gradients } : {}),
      ...(moments !== 'device:f32' ? { moments } : {}),
      ...given,
      ...(this.accumulate > 1 ? { accumulate: this.accumulate } : {}),
    };
  }
}
