// Chooses the adapter for the backend that tfjs is using now.

import * as tf from '@tensorflow/tfjs-core';

import { cpuDevice } from './portable/cpu.js';
import type { Device } from '../engine/engine.js';
import { genericDevice } from './portable/generic.js';
import { tensorflowDevice } from './tensorflow/adapter.js';
import { wasmDevice } from './portable/wasm.js';

/** The adapter for tfjs's current backend. Cheap: asked for at every sync, since backends can change. */
export function currentDevice(): Device {
  const name = tf.getBackend();
  if (name === 'cpu') return cpuDevice;
  const backend = tf.backend();
  return wasmDevice(backend) ?? tensorflowDevice(backend) ?? genericDevice(name);
}
