// The device of the backend that tfjs is using now.

import * as tf from '@tensorflow/tfjs-core';

import type { Device } from '../engine/device.js';
import { engineOf } from '../engine/engine.js';
import { cpuDevice } from './portable/cpu.js';
import { genericDevice } from './portable/generic.js';
import { wasmDevice } from './portable/wasm.js';

/**
 * The device of tfjs's current backend: its engine's if one was started, else one that fits tfjs's own backends.
 * Call it for every sync: backends can change.
 */
export function currentDevice(): Device {
  const name = tf.getBackend();
  const backend = tf.backend();
  const engine = engineOf(backend);
  if (engine !== undefined) return engine.device;
  return name === 'cpu' ? cpuDevice : (wasmDevice(backend) ?? genericDevice(name));
}
