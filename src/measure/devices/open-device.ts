// The engine that was asked for, as a policy uses it.

import * as tf from '@tensorflow/tfjs-core';

import type { CellOptions } from '../record-parts.js';
import { findAdapter, openOurs, openStock, type TensorDevice, type Watcher } from './devices.js';
import type { EngineAnswer } from '../machine/machine.js';
import { PlainDevice, startPlain } from './plain-device.js';
import type { BenchPolicy } from '../workloads/policies.js';

export type DeviceRequest = Pick<CellOptions, 'engine' | 'adapter'>;

/** An `OurDevice` where the policy is slowlane's, and the engine has WebGPU. */
export async function openDevice(
  { engine, adapter }: DeviceRequest,
  { ours }: Pick<BenchPolicy, 'ours'>,
  watcher: Watcher,
): Promise<TensorDevice | PlainDevice> {
  if (engine !== 'webgpu') return new PlainDevice((await startPlain(engine)).usesGpu, watcher);
  const open = ours === null ? openStock : openOurs;
  return open(adapter ?? undefined, watcher);
}

/** Starts it, to see whether that works and what it is. */
export async function describeEngine({ engine, adapter }: DeviceRequest): Promise<EngineAnswer> {
  const tfjsVersion = tf.version_core;
  if (engine !== 'webgpu') {
    const { words, usesGpu } = await startPlain(engine);
    return { adapter: null, engine: words, usesGpu, tfjsVersion };
  }
  const { adapter: found, name, software } = await findAdapter(adapter ?? undefined);
  const { vendor, architecture, description: driver } = found.info;
  const maxBufferBytes = found.limits.maxBufferSize;
  return {
    adapter: { name, software, vendor, architecture, driver, maxBufferBytes },
    engine: null,
    usesGpu: !software,
    tfjsVersion,
  };
}
