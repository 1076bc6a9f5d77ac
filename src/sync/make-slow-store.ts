// Chooses the store for the backend that tfjs is using now.

import * as tf from '@tensorflow/tfjs-core';

import type { SlowStore } from '../slow/slow-store.js';
import { engineOf, type StoreOptions } from '../engine/engine.js';
import { HostBlendStore, type HostSlowStoreOptions } from './host-blend-store.js';
import { DeviceTensorStore } from './device-tensor-store.js';
import type { Tracked } from '../lookahead/tracked.js';

export interface SlowStoreOptions extends StoreOptions, HostSlowStoreOptions {}

export function makeSlowStore(options: SlowStoreOptions): SlowStore<Tracked> {
  if (options.format === 'device:f32') return new DeviceTensorStore(options.clock);
  return engineOf(tf.backend())?.slowStore?.<Tracked>(options) ?? new HostBlendStore(options);
}
