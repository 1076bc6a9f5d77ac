/**
 * Where gradients and state of one optimizer live, and how long. A planner may decide what the caller left open,
 * until the optimizer has state.
 */
import type * as tf from '@tensorflow/tfjs-core';
import { checkNumber } from '../checks/check.js';
import { checkOverrides, overrideOf } from '../checks/overrides.js';
import { type MatcherConfig, matcherConfig, matcherFrom } from '../checks/weight-matcher.js';
import { type Clipping, checkClipping } from '../formula/clipping.js';
import {
  type GradientLifetime,
  type MomentOverride,
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
  /** State tensors of each weight, each of its size. */
  readonly slots: number;
  /** True if float32 state takes the gradients of micro-batches; else there is one mean per weight. */
  readonly takesGradients: boolean;
  readonly accumulate: number;
  /** What the options leave no choice of. */
  readonly fixed: Partial<Lifetimes>;
  /** Weights whose `moments` are given. */
  readonly overrides: readonly MomentOverride[];
  /** False once it has state. */
  readonly isOpen: boolean;
  /** A choice follows: until then, restored state waits where every choice can take it from. */
  expectChoice(): void;
  choose(lifetimes: Lifetimes): void;
}

export class StepPolicy {
  readonly clipping: Clipping;
  readonly accumulate: number;
  readonly overrides: readonly MomentOverride[];
  /** What the caller gave. */
  readonly #given: Partial<Lifetimes>;
  #chosen: Partial<Lifetimes> = {};
  #awaitsChoice = false;

  /** Reads its own of `given`, the options as they came. */
  constructor(given: Readonly<Record<string, unknown>>) {
    const { clipValue, clipNorm, gradients, moments, overrides, accumulate = 1 } = given;
    this.clipping = checkClipping(clipValue, clipNorm);
    this.#given = {
      ...(gradients === undefined ? {} : { gradients: checkLifetime(gradients, this.clipping) }),
      ...(moments === undefined ? {} : { moments: checkMoments('moments', moments) }),
    };
    this.overrides = checkOverrides<MomentOverride>('overrides', overrides, {
      moments: checkMoments,
    });
    this.accumulate = checkNumber('accumulate', accumulate, { min: 1, max: 2 ** 20, whole: true });
  }

  get gradients(): GradientLifetime {
    return this.#given.gradients ?? this.#chosen.gradients ?? 'keep';
  }

  momentsOf(weight: tf.Variable): MomentPolicy {
    return overrideOf(this.overrides, weight)?.moments ?? this.#moments;
  }

  /** True if all state is float32 on the device. */
  get isPlain(): boolean {
    return [this.#moments, ...this.overrides.map(({ moments }) => moments)].every(
      (moments) => moments === 'device:f32',
    );
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

  /** As JSON, without defaults. While a choice is awaited, only what was given: a copy leaves the same open. */
  config(): tf.serialization.ConfigDict {
    const { by } = this.clipping;
    const { gradients } = this;
    const moments = this.#moments;
    const given = this.#awaitsChoice ? this.#given : {};
    const overrides = this.overrides.map(({ weights, moments: policy }) => ({
      weights: matcherConfig('overrides', weights),
      moments: policy,
    }));
    return {
      ...(by === 'value' ? { clipValue: this.clipping.limit } : {}),
      ...(by === 'norm' ? { clipNorm: this.clipping.limit } : {}),
      ...(gradients === 'release' ? { gradients } : {}),
      ...(moments !== 'device:f32' ? { moments } : {}),
      ...given,
      ...(overrides.length > 0 ? { overrides } : {}),
      ...(this.accumulate > 1 ? { accumulate: this.accumulate } : {}),
    };
  }

  get #moments(): MomentPolicy {
    return this.#given.moments ?? this.#chosen.moments ?? 'device:f32';
  }
}

/** The options that `StepPolicy.config` saved. */
export function optionsFrom(config: tf.serialization.ConfigDict): Record<string, unknown> {
  const overrides = config['overrides'] as
    | { weights: MatcherConfig; moments: string }[]
    | undefined;
  if (overrides === undefined) return { ...config };
  return {
    ...config,
    overrides: overrides.map(({ weights, moments }) => ({
      weights: matcherFrom(weights),
      moments,
    })),
  };
}
