// One policy, in a process of its own: what a few steps take at most, by each meter.

import { OurDevice, openOurs, openStock } from '../devices.js';
import { Meters } from '../meters.js';
import { peakBytesOf } from '../peak-bytes.js';
import type { Phase } from '../peaks.js';
import { policyNamed } from '../policies.js';
import { makeStack } from '../stack.js';
import { trainPolicy } from '../train-policy.js';
import { CategoryPeaks } from './category-peaks.js';
import type { MemoryCounts, MemoryOptions } from './memory-record.js';

export interface MemoryRequest extends Pick<
  MemoryOptions,
  'layers' | 'width' | 'batch' | 'steps' | 'syncPeriod' | 'adapter'
> {
  readonly policy: string;
}

export async function countMemory(
  request: MemoryRequest,
  enter: (phase: Phase) => void,
): Promise<MemoryCounts> {
  const policy = policyNamed(request.policy);
  const meters = new Meters('set-up', enter);
  const open = policy.ours === null ? openStock : openOurs;
  const device = await open(request.adapter ?? undefined, meters);
  const categories = device instanceof OurDevice ? new CategoryPeaks(device.engine) : null;
  const stack = await makeStack(device, request);
  categories?.restartHighest();
  meters.enter('training');
  const losses = await trainPolicy(device, stack, policy, request);
  return {
    parameters: stack.parameters,
    ...peakBytesOf(device, meters),
    atPeak: categories?.atPeak ?? null,
    highest: categories?.highest ?? null,
    losses,
  };
}
