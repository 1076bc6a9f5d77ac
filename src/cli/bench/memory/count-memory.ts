// One policy, in a process of its own: what a few steps take at most, by each meter.

import { type Breakdown, CATEGORIES } from '../../../engine/categories.js';
import type { WebGPUEngine } from '../../../engines/webgpu/start.js';
import { type Meter, meter } from '../../../index.js';
import { OurDevice } from '../../../measure/devices/devices.js';
import { makeWorkload } from '../../../measure/workloads/make-workload.js';
import { Meters, peakBytesOf } from '../../../measure/meters/meters.js';
import { openDevice } from '../../../measure/devices/open-device.js';
import type { Phase } from '../../../measure/record-parts.js';
import { policyNamed } from '../../../measure/workloads/policies.js';
import { trainPolicy } from '../../../measure/workloads/train-policy.js';
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

/**
 * What the buffers of slowlane's engine are for: when the most are allocated, and at most each. The meter tells when
 * something moves. What for, the engine is asked: inside a step the meter counts a new value of a variable as what it
 * was made as.
 */
class CategoryPeaks {
  readonly #engine: WebGPUEngine;
  readonly #meter: Meter;
  #peakBytes: number;
  #atPeak: Breakdown;
  #highest: Breakdown;

  /** `engine` is the current backend. */
  constructor(engine: WebGPUEngine) {
    this.#engine = engine;
    const { peakBytes, by } = engine.memory();
    this.#peakBytes = peakBytes;
    this.#atPeak = by;
    this.#highest = by;
    this.#meter = meter({ onEvent: () => this.#note() });
  }

  /** Adds up to the engine's `peakBytes`. */
  get atPeak(): Breakdown {
    this.#meter.timeline(); // throws what stopped the notes, if something did
    return this.#atPeak;
  }

  /** Each at a time of its own. */
  get highest(): Breakdown {
    return this.#highest;
  }

  /** From now on: a weight that is being uploaded is not known for one yet. */
  restartHighest(): void {
    this.#highest = this.#engine.memory().by;
  }

  #note(): void {
    const { peakBytes, by } = this.#engine.memory();
    if (peakBytes > this.#peakBytes) {
      this.#peakBytes = peakBytes;
      this.#atPeak = by;
    }
    const highest = { ...this.#highest };
    for (const name of CATEGORIES) highest[name] = Math.max(highest[name], by[name]);
    this.#highest = highest;
  }
}
