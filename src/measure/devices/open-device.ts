// The engine that was asked for, as a policy uses it.

import type { CellOptions } from '../record-parts.js';
import {
  describeAdapter,
  openOurs,
  openStock,
  type TensorDevice,
  type Watcher,
} from './devices.js';
import type { EngineAnswer } from '../machine/machine.js';
import { describePlain, openPlain, type PlainDevice } from './plain-device.js';
import type { BenchPolicy } from '../workloads/policies.js';

export type DeviceRequest = Pick<CellOptions, 'engine' | 'adapter'>;

/** An `OurDevice` where the policy is slowlane's, and the engine has WebGPU. */
export async function openDevice(
  { engine, adapter }: DeviceRequest,
  { ours }: Pick<BenchPolicy, 'ours'>,
  watcher: Watcher,
): Promise<TensorDevice | PlainDevice> {
  if (engine !== 'webgpu') return openPlain(engine, watcher);
  const open = ours === null ? openStock : openOurs;
  return open(adapter ?? undefined, watcher);
}

/** Starts it, to see whether that works and what it is. */
export async function describeEngine({ engine, adapter }: DeviceRequest): Promise<EngineAnswer> {
  return engine === 'webgpu' ? describeAdapter(adapter ?? undefined) : describePlain(engine);
}
