// Fast weights on any tfjs backend, by public tensor operations alone.
//
// Pulling a part costs device memory for that part, which a backend's own adapter can do without.

import * as tf from '@tensorflow/tfjs-core';

import type { Device } from '../../engine/device.js';
import { WholeWriter } from './whole-writer.js';

export function genericDevice(name: string): Device {
  return {
    name,

    async pull(tensor, start, into) {
      const isWhole = into.length === tensor.size;
      const part = isWhole
        ? tensor.clone()
        : tf.tidy(() => tf.slice1d(tf.reshape(tensor, [-1]), start, into.length));
      try {
        into.set(await part.data<'float32'>());
      } finally {
        part.dispose();
      }
    },

    write: () => new WholeWriter(),
  };
}
