// One variable under Lookahead: a weight, or a slot of one in the inner optimizer.

import type * as tf from '@tensorflow/tfjs-core';

import type { Storable } from '../slow/slow-store.js';
import type { SlowStepSize } from './step-size.js';

export interface Tracked extends Storable {
  /** The weight itself, or the weight whose slot this is. */
  readonly weight: tf.Variable;
  /** The paper's α. */
  readonly slowStepSize: SlowStepSize;
}

/** False for a slot (innerState: 'interpolate'). */
export function isWeight({ slot }: Tracked): boolean {
  return slot === null;
}
