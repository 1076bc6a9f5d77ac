// One policy, in a process of its own: what a few steps take at most, by each meter.

import { OurDevice } from '../../../measure/devices/devices.js';
import { makeWorkload } from '../../../measure/workloads/make-workload.js';
import { Meters } from '../../../measure/meters/meters.js';
import { openDevice } from '../../../measure/devices/open-device.js';
import { peakBytesOf } from '../../../measure/meters/peak-bytes.js';
import type { Phase } from '../../../measure/record-parts.js';
import { policyNamed } from '../../../measure/workloads/policies.js';
import { trainPolicy } from '../../../measure/workloads/train-policy.js';
import { CategoryPeaks } from './category-peaks.js';
import type { MemoryCounts, MemoryOptions } from './record.js';

export interface MemoryRequest extends MemoryOptions {
  readonly policy: string;
}

export async function countMemory(
  request: MemoryRequest,
  enter: (phase: Phase) => void,
): Promise<MemoryCounts> {
  const policy = policyNamed(request.policy);
  const meters = new Meters();
  const device = await openDevice(request, policy, meters);
  const categories = device instanceof OurDevice ? new CategoryPeaks(device.engine) : null;
  const workload = await makeWorkload(device, request);
  categories?.restartHighest();
  enter('training');
  const { losses, stats } = await trainPolicy(device, workload, policy, request);
  return {
    parameters: workload.parameters,
    ...peakBytesOf(device, meters, stats),
    atPeak: categories?.atPeak ?? null,
    highest: categories?.highest ?? null,
    losses,
  };
}
