/** An update rule as data: its state, the numbers of a step, and one formula. Not an optimizer. */
import type { NumberRange } from '../checks/check.js';
import type { Algebra } from './algebra.js';

/** What the formula can read: the weight, its gradient, the state and the numbers of the step. */
export type Operands<Name extends string, T> = Readonly<Record<Name | 'weight' | 'gradient', T>>;

export interface StateSpec<State extends string = string> {
  readonly name: State;
  /** Every element of a fresh tensor. */
  readonly initial: number;
  /** True if no element is ever below 0. */
  readonly neverNegative?: boolean;
}

/** `target ← value(operands)`, element by element, in place. */
export interface Assignment<State extends string = string, Scalar extends string = string> {
  readonly target: State | 'weight';
  /** An intermediate result is used once; an operand as often as you like. */
  value<T>(x: Operands<State | Scalar, T>, o: Algebra<T>): T;
}

export type RuleConstants = Readonly<Record<string, number | boolean>>;

/** The default of each constant, and the range of a number. */
export type ConstantSpecs<Constants extends RuleConstants = RuleConstants> = {
  readonly [Name in keyof Constants]: Constants[Name] extends boolean
    ? { readonly default: boolean }
    : NumberRange & { readonly default: number };
};

export interface UpdateRule<
  Constants extends RuleConstants = RuleConstants,
  State extends string = string,
  Scalar extends string = string,
> {
  readonly name: string;
  /** The default. */
  readonly learningRate: number;
  readonly constants: ConstantSpecs<Constants>;
  /** The state tensor that estimates E[g²], if the rule has one. */
  readonly secondMoment?: State;
  /** What makes an estimate of E[g²] of it after `step` steps. Default 1. */
  secondMomentScale?(constants: Constants, step: number): number;
  /** The state of one weight: tensors of its shape. */
  state(constants: Constants): readonly StateSpec<State>[];
  /** The numbers of one step, in double precision. `step` counts from 1, for each weight by itself. */
  scalars(
    constants: Constants,
    learningRate: number,
    step: number,
  ): Readonly<Record<Scalar, number>>;
  /** The assignments in order; each reads the results of those before it. */
  formula(constants: Constants): readonly Assignment<State, Scalar>[];
}
