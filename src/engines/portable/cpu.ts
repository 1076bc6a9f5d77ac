// Fast weights on tfjs's `cpu` backend: plain JavaScript arrays.
//
// Never writes in place. The backend keeps the very array that `tf.tensor(array)` was given, so the
// values of a weight may be an array of the caller's; a new value gets an array of its own.

import type { Device } from '../../engine/device.js';
import { WholeWriter } from './whole-writer.js';

export const cpuDevice: Device = {
  name: 'cpu',

  pull(tensor, start, into) {
    // On this backend `dataSync` returns the live array without copying it.
    const live = tensor.dataSync<'float32'>();
    into.set(live.subarray(start, start + into.length));
  },

  write: () => new WholeWriter(),
};
