// Chooses the store for the backend that tfjs is using now.

import * as tf from '@tensorflow/tfjs-core';

import { SlowlaneError } from '../errors.js';
import type { SlowStore } from '../slow/slow-store.js';
import { type StoreOptions, storeFactoryOf } from '../slow/store-factory.js';
import { HostSlowStore, type HostSlowStoreOptions } from './host-slow-store.js';
import type { Tracked } from './tracked.js';

export interface SlowStoreOptions extends StoreOptions, HostSlowStoreOptions {}

/** @throws SlowlaneError ENGINE if the format needs a device that blends, and this is none. */
export function makeSlowStore(options: SlowStoreOptions): SlowStore<Tracked> {
  const onDevice = storeFactoryOf(tf.backend());
  if (onDevice) return onDevice<Tracked>(options);
  if (options.format === 'host:f32') return new HostSlowStore(options);
  throw new SlowlaneError(
    'ENGINE',
    `slow: '${options.format}' is blended on the device, which the backend '${tf.getBackend()}' cannot do. Call startWebGPU() of slowlane/webgpu before training, or use slow: 'host:f32'.`,
    { slow: options.format, backend: tf.getBackend() },
  );
}
