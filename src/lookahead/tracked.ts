// One variable under Lookahead: what the layout, the store and a sync know of it.

import type * as tf from '@tensorflow/tfjs-core';

import type { SlowStepSize } from './step-size.js';

export interface Tracked {
  readonly variable: tf.Variable;
  /** Number of elements. */
  readonly size: number;
  /** Its own among the weights of the Lookahead: random rounding draws by it. */
  readonly serial: number;
  /** The weight that this is, or that this is a slot of. */
  readonly weight: tf.Variable;
  /** Null: the weight itself; else which slot of it in the inner optimizer (innerState: 'interpolate'). */
  readonly slot: number | null;
  /** The paper's α. */
  readonly slowStepSize: SlowStepSize;
}

/** True for a weight itself, false for a slot of one. */
export function isWeight({ slot }: Tracked): boolean {
  return slot === null;
}
