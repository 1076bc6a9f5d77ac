// NON_FINITE: what is said of a NaN or an infinity, and where it was found.

import type * as tf from '@tensorflow/tfjs-core';

import { SlowlaneError } from '../../checks/errors.js';

/** Where a NaN or an infinity was found. */
export interface BadValue {
  readonly weight: string;
  /** Of the inner state. */
  readonly slot?: string;
  /** Its weight is excluded from Lookahead, so that there is no slow value to go back to. */
  readonly isExcluded?: boolean;
  /** For a message. */
  readonly text: string;
}

export function inWeight({ name }: tf.Variable): BadValue {
  return { weight: name, text: `'${name}'` };
}

export function inExcluded(weight: tf.Variable): BadValue {
  return { ...inWeight(weight), isExcluded: true };
}

export function inState(weight: string, slot: string): BadValue {
  return { weight, slot, text: `The state '${slot}' of '${weight}'` };
}

export function inGradient(weight: string): BadValue {
  return { weight, text: `For '${weight}', the gradient of adaptive()` };
}

export function nonFinite(
  { weight, slot, text }: BadValue,
  step: number,
  consequence: string,
): SlowlaneError {
  return new SlowlaneError(
    'NON_FINITE',
    `${text} holds a NaN or an infinity after step ${step}. ${consequence}.`,
    { weight, ...(slot !== undefined && { slot }), step },
  );
}
