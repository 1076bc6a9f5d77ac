// A training cell: warm-up with losses, then steps waited for one by one, then steps waited for at the end.

import { monitorEventLoopDelay } from 'node:perf_hooks';
import type * as tf from '@tensorflow/tfjs-core';

import type { Stepper } from '../../src/measure/steppers.js';
import { contenders } from './contenders.js';
import type { TensorDevice } from '../../src/measure/devices.js';
import { hostMemory } from '../../src/measure/host-memory.js';
import type { Meters } from '../../src/measure/meters.js';
import type { CellOptions, TrainingValues } from './record.js';
import { learningRateOf, makeStack } from '../../src/measure/stack.js';
import { timeSteps } from '../../src/measure/timed-steps.js';

const LOSSES = 20;
const WARM_UP_CYCLES = 2;
const NS_PER_MS = 1e6;

export async function measureTraining(
  name: string,
  options: CellOptions,
  meters: Meters,
): Promise<TrainingValues> {
  const contender = contenders[name];
  if (contender === undefined) throw new Error(`There is no training cell '${name}'.`);
  const device = await contender.open(options.adapter, meters);
  const stack = await makeStack(device, options);
  const stepper = await contender.start(stack, options);
  await device.finished();

  meters.enter('warm-up');
  const { losses, warmUpMs } = await warmUp(device, stepper, options);
  meters.enter('awaited');
  // Not in the unsynchronised part: steps that nothing waits for are one long turn of the event loop.
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const awaitedMs = await timeSteps(device, stepper, options);
  delay.disable();
  meters.enter('unsynchronised');
  const unsynchronisedMs = await unsynchronised(device, stepper, options);

  return {
    kind: 'training',
    parameters: stack.parameters,
    learningRate: learningRateOf(options),
    losses,
    warmUpMs,
    awaitedMs,
    unsynchronisedMs,
    eventLoopDelayMs: { max: delay.max / NS_PER_MS, mean: delay.mean / NS_PER_MS },
    peaks: meters.peaks,
    buffersAtEnd: { countedBytes: meters.bufferBytes, backendBytes: device.backendBytes },
    host: hostMemory(),
    lookahead: stepper.stats?.() ?? null,
  };
}

/** Whole cycles, enough for the losses: afterwards all state exists, and pools are as full as they get. */
async function warmUp(
  device: TensorDevice,
  stepper: Stepper,
  { syncPeriod }: CellOptions,
): Promise<{ losses: number[]; warmUpMs: number[] }> {
  const cycles = Math.max(WARM_UP_CYCLES, Math.ceil(LOSSES / syncPeriod));
  const losses: number[] = [];
  const warmUpMs: number[] = [];
  for (let step = 0; step < cycles * syncPeriod; step++) {
    const start = performance.now();
    const cost = await stepper.step(true);
    if (cost !== null && losses.length < LOSSES) losses.push(await valueOf(cost));
    cost?.dispose();
    await device.finished();
    warmUpMs.push(performance.now() - start);
  }
  return { losses, warmUpMs };
}

async function unsynchronised(
  device: TensorDevice,
  stepper: Stepper,
  { repeats, steps }: CellOptions,
): Promise<number[]> {
  const repeatsMs: number[] = [];
  for (let repeat = 0; repeat < repeats; repeat++) {
    const start = performance.now();
    for (let step = 0; step < steps; step++) await stepper.step(false);
    await device.finished();
    repeatsMs.push(performance.now() - start);
  }
  return repeatsMs;
}

async function valueOf(loss: tf.Scalar): Promise<number> {
  const [value = NaN] = await loss.data();
  return value;
}
