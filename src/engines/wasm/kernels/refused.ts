// tfjs's kernels on wasm that are wrong for negative numbers, and are no part of usual training.

import { SlowlaneError } from '../../../checks/errors.js';

/** A kernel that throws SlowlaneError UNSUPPORTED. */
export function refused(operation: string): () => never {
  return () => {
    throw new SlowlaneError(
      'UNSUPPORTED',
      `${operation} is wrong for negative numbers in TensorFlow.js's wasm backend, so slowlane's wasm engine does not ` +
        `compute it. Use another backend.`,
      { operation },
    );
  };
}
