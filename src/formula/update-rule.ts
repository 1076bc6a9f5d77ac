/** An update rule as data: its slots, the numbers of a step, and one formula. Not an optimizer. */
import type { Accumulation } from '../optimizers/gradient-means.js';
import type { Algebra } from './algebra.js';

/** What the formula can read: the weight, its gradient, the slots and the numbers of the step. */
export type Operands<Name extends string, T> = Readonly<Record<Name | 'weight' | 'gradient', T>>;

export interface SlotSpec<Slot extends string = string> {
  readonly name: Slot;
  /** Every element of a fresh slot. */
  readonly initial: number;
  /** True if no element is ever below 0. */
  readonly neverNegative?: boolean;
}

/** `target ← value(operands)`, element by element, in place. */
export interface Assignment<Slot extends string = string, Scalar extends string = string> {
  readonly target: Slot | 'weight';
  /** An intermediate result is used once; an operand as often as you like. */
  value<T>(x: Operands<Slot | Scalar, T>, o: Algebra<T>): T;
}

export type RuleConstants = Readonly<Record<string, number | boolean>>;

export interface UpdateRule<
  Constants extends RuleConstants = RuleConstants,
  Slot extends string = string,
  Scalar extends string = string,
> {
  readonly name: string;
  /** The slot that estimates E[g²], if the rule has one. */
  readonly secondMoment?: Slot;
  /** What makes an estimate of E[g²] of it after `step` steps. Default 1. */
  secondMomentScale?(constants: Constants, step: number): number;
  /** The slots of one weight, each shaped like the weight. */
  slots(constants: Constants): readonly SlotSpec<Slot>[];
  /** The numbers of one step, in double precision. `step` counts from 1, for each weight by itself. */
  scalars(
    constants: Constants,
    learningRate: number,
    step: number,
  ): Readonly<Record<Scalar, number>>;
  /** The assignments in order; each reads the results of those before it. */
  formula(constants: Constants): readonly Assignment<Slot, Scalar>[];
  /** How micro-batches go into the slots; null or absent where they cannot. */
  accumulation?(constants: Constants): Accumulation<Slot, Scalar> | null;
}
