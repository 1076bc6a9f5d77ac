// The stack that README's bytes per parameter are of, as the benchmarks make it (src/measure/stack.ts): 16 dense layers
// of 512 × 512, batch 8, Adam. A sync after every other step, not every fifth: bytes are the same, and steps are slow here.

import { readFileSync } from 'node:fs';

import { OurDevice, UNWATCHED } from '#src/measure/devices/devices.js';
import type { MemoryRecord } from '#src/cli/bench/memory/record.js';
import { readBenchRecord } from '#src/cli/bench/record.js';
import { learningRateOf, makeStack, parametersOf } from '#src/measure/workloads/stack.js';
import type { Workload } from '#src/measure/workloads/steppers.js';
import type { WebGPUEngine } from '#src/engines/webgpu/index.js';

import { entry } from '../../built.js';

export const SIZE = { layers: 16, width: 512, batch: 8 };
export const SYNC_PERIOD = 2;
export const PARAMETERS = parametersOf(SIZE);
export const LEARNING_RATE = learningRateOf(SIZE);

export function stackOn(engine: WebGPUEngine): Promise<Workload> {
  return makeStack(new OurDevice(engine, UNWATCHED), SIZE);
}

/** Bytes a parameter as README has them, of a run of one sync. */
export function publishedFor(policy: string): number {
  const text = readFileSync(entry('bench/results/memory-software-webgpu.json'), 'utf8');
  const { cells } = readBenchRecord(text) as MemoryRecord;
  return cells.find((cell) => cell.policy === policy)?.allocatorBytesPerParameter ?? NaN;
}
