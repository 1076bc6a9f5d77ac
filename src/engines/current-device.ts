// The device of the backend that tfjs is using now.

import * as tf from '@tensorflow/tfjs-core';

import type { Device } from '../engine/device.js';
import { isWasmBackend } from '../tfjs/wasm-backend.js';
import { engineOf } from '../engine/engine.js';
import { cpuDevice, genericDevice, wasmDevice } from './portable/devices.js';

/**
 * The device of tfjs's current backend: its engine's if one was started, else one that fits tfjs's own backends.
 * Call it for every sync: backends can change.
 */
export function currentDevice(): Device {
  const backend = tf.backend();
  const own = engineOf(backend)?.device;
  if (own) return own;
  if (isWasmBackend(backend)) return wasmDevice(backend);
  return tf.getBackend() === 'cpu' ? cpuDevice : genericDevice;
}
