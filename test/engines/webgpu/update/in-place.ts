import type * as tf from '@tensorflow/tfjs-core';

import { engineOf, registerEngine } from '#src/engine/engine.js';
import { genericDevice } from '#src/engines/portable/devices.js';
import { inPlaceUpdates, type UpdateCounts } from '#src/engines/webgpu/update/update-in-place.js';

/** From now on weights on `backend` are updated in place, with counts that begin at 0; the rest stays as it is. */
export function updateInPlaceOn(
  backend: tf.KernelBackend,
  maxWorkgroups?: number,
): { readonly counts: UpdateCounts } {
  const { update, counts } = inPlaceUpdates(backend, maxWorkgroups);
  registerEngine(backend, { device: genericDevice, ...engineOf(backend), update });
  return { counts };
}
