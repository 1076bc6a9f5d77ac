/** The update of one weight in one step, as an optimizer gives it to an engine. */
import type * as tf from '@tensorflow/tfjs-core';
import type { Clip } from './clipping.js';
import type { QuantizedKind } from './quantization.js';
import type { Assignment, RuleConstants } from './update-rule.js';

/** What state of a weight need beside their words, when they are 8-bit. */
export interface QuantizedState {
  /** One row for each state tensor: [tensors, blocks]. */
  readonly scales: tf.Variable;
  readonly kinds: ReadonlyMap<string, QuantizedKind>;
}

export interface StateVariables {
  /** By the names of the rule, in its order. */
  readonly state: ReadonlyMap<string, tf.Variable>;
  /** null: `state` is float32, of the weight's shape. Else `state` is int32 words, each with the bytes of four elements. */
  readonly quantized: QuantizedState | null;
}

export interface WeightUpdate extends StateVariables {
  /** The rule that `formula` is of, for an engine that has it as one op; null if it is no whole step of a rule. */
  readonly rule: { readonly name: string; readonly constants: RuleConstants } | null;
  /** The same array in every step of an optimizer. */
  readonly formula: readonly Assignment[];
  readonly weight: tf.Variable;
  /** How quantized state is rounded in this step (`quantization.ts`). */
  readonly rounding: number;
  /** Not clipped yet; the updater's to dispose if `takesGradient`, else the caller's. */
  readonly gradient: tf.Tensor;
  readonly takesGradient: boolean;
  /** Stays the caller's. */
  readonly clip: Clip;
  /** Called once something has changed and the rest may still fail. An update that fails before has changed nothing. */
  readonly tears?: () => void;
  /** In double precision, by the names of the rule. */
  readonly scalars: Readonly<Record<string, number>>;
}

/** Carries one update out. The variables keep their identity and have their new values afterwards. */
export type Updater = (update: WeightUpdate) => void;
