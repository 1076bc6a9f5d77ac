/** One weight in one step, as the optimizer hands it to whatever carries the update out. */
import type * as tf from '@tensorflow/tfjs-core';
import type { Clip } from './clipping.js';
import type { MomentCode } from './moment-code.js';
import type { Assignment } from './update-rule.js';

/** What slots of a weight need beside their words, when they are 8-bit. */
export interface CodedSlots {
  /** [slots, blocks]. */
  readonly scales: tf.Variable;
  readonly codes: ReadonlyMap<string, MomentCode>;
}

export interface SlotVariables {
  /** By the names of the rule, in its order. */
  readonly slots: ReadonlyMap<string, tf.Variable>;
  /** Null if the slots are float32 of the weight's shape. Else they are words, and only storage is different. */
  readonly coded: CodedSlots | null;
}

export interface WeightUpdate extends SlotVariables {
  /** The same array in every step of an optimizer. */
  readonly formula: readonly Assignment[];
  readonly weight: tf.Variable;
  /** How 8-bit slots are rounded in this step (`moment-code.ts`). */
  readonly rounding: number;
  /** Not clipped yet; the updater's to dispose if `takesGradient`, else the caller's. */
  readonly gradient: tf.Tensor;
  readonly takesGradient: boolean;
  /** Stays the caller's. */
  readonly clip: Clip;
  /** In double precision, by the names of the rule. */
  readonly scalars: Readonly<Record<string, number>>;
}

/** Carries one update out. The variables keep their identity and have their new values afterwards. */
export type Updater = (update: WeightUpdate) => void;
