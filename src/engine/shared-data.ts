// Weights whose data another tensor holds too. An update then leaves the old data beside the new: one in place copies it
// first, for as long as the other tensor is there.

import * as tf from '@tensorflow/tfjs-core';

import { formatBytes } from '../checks/quantities.js';

/** Bytes: smaller weights are not worth a warning. */
const WORTH_SAYING = 4096;

const keptOnPurpose = new WeakSet<object>();

/** Slow weights and handles of ours share a weight's data on purpose. Returns `tensor`. */
export function shareOnPurpose<T extends tf.Tensor>(tensor: T): T {
  keptOnPurpose.add(tensor.dataId);
  return tensor;
}

/** Warns once that a weight shares its data, where nothing of ours does so on purpose. */
export class SharedDataWarning {
  #isOver = false;

  /** `weight` is updated next. */
  check({ dataId, name, size }: tf.Variable): void {
    if (this.#isOver || 4 * size < WORTH_SAYING || tf.backend().refCount(dataId) < 2) return;
    if (keptOnPurpose.has(dataId)) return;
    this.#isOver = true;
    console.warn(
      `slowlane: another tensor holds the data of '${name}' too, so an update of it keeps the old data beside the ` +
        `new: ${formatBytes(4 * size)} more. If it is the tensor that the variable was made of, free it: ` +
        `tf.tidy(() => tf.variable(tensor)). If it is a clone or another variable, dispose it when it is no longer ` +
        `needed. Other weights of this optimizer may share theirs.`,
    );
  }
}
