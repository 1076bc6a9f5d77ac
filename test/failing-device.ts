// A device that fails while a sync writes.

import * as tf from '@tensorflow/tfjs-core';

import { engineOf, registerEngine, unregisterEngine } from '#src/engine/engine.js';
import { currentDevice } from '#src/engines/current-device.js';

/** The device of this engine fails to write `variable`, until the function that it returns is called. */
export function failToWrite(variable: tf.Variable): () => void {
  const [backend, device] = [tf.backend(), currentDevice()];
  const before = engineOf(backend);
  const write = () => {
    const writer = device.write();
    const push: typeof writer.push = (pushed, ...rest) => {
      if (pushed === variable) throw new Error('the device failed');
      return writer.push(pushed, ...rest);
    };
    return { push };
  };
  registerEngine(backend, { ...before, device: { ...device, write } });
  return () => (before ? registerEngine(backend, before) : unregisterEngine(backend));
}
