// What the hardware and the parts can do at best, in the same run: the measure for whole steps and syncs.

import * as tf from '@tensorflow/tfjs-core';

import { adam } from '../../src/index.js';
import { measureBus } from './bus.js';
import { SERIES } from './cells.js';
import { ourLookahead } from './contenders.js';
import { openBare, openOurs, type BareDevice } from '../../src/measure/devices.js';
import { hostMemory } from '../../src/measure/host-memory.js';
import type { Meters } from '../../src/measure/meters.js';
import type { CellOptions, ReferenceValues, Series } from './record.js';
import { learningRateOf, makeStack, parametersOf, uniform } from '../../src/measure/stack.js';
import { lookaheadCycle, timeSyncs } from '../../src/measure/timed-syncs.js';

/** Adam reads weight, gradient, m and v, and writes weight, m and v: float32 each. */
const UPDATE_BYTES = 7 * 4;
/** So many rounds before one wait: what the wait itself costs is a small part then. */
const ROUNDS_PER_WAIT = 10;
const WAITS_PER_REPEAT = 4;

type Measure = (options: CellOptions, meters: Meters) => Promise<Partial<ReferenceValues>>;

const references: Readonly<Record<string, Measure>> = {
  'copy-device': copyDevice,
  'adam-update-only': updateOnly,
  bus: async (options, meters) => {
    const device = await openBare(options.adapter, meters);
    return { series: await measureBus(device, options, meters) };
  },
  'sync-only-f32': (options, meters) => syncOnly(options, meters, 'host:f32', 4),
  'sync-only-f16': (options, meters) => syncOnly(options, meters, 'host:f16', 2),
};

export async function measureReference(
  name: string,
  options: CellOptions,
  meters: Meters,
): Promise<ReferenceValues> {
  const measure = references[name];
  if (measure === undefined) throw new Error(`There is no reference cell '${name}'.`);
  const measured = await measure(options, meters);
  return {
    kind: 'reference',
    parameters: parametersOf(options),
    series: [],
    peaks: meters.peaks,
    buffersAtEnd: { countedBytes: meters.bufferBytes, backendBytes: null },
    host: hostMemory(),
    lookahead: null,
    ...measured,
  };
}

/** Copies 14 bytes per parameter, each read once and written once, from buffers of a weight's size. */
async function copyDevice(options: CellOptions, meters: Meters) {
  const device = await openBare(options.adapter, meters);
  const weightBytes = 4 * options.width ** 2;
  const usage = GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const make = () => device.device.createBuffer({ size: weightBytes, usage });
  const pairs = Array.from({ length: options.layers }, () => ({ from: make(), to: make() }));
  const round = () => {
    const encoder = device.device.createCommandEncoder();
    for (const bytes of [weightBytes, weightBytes, weightBytes, weightBytes / 2]) {
      for (const { from, to } of pairs) encoder.copyBufferToBuffer(from, 0, to, 0, bytes);
    }
    device.device.queue.submit([encoder.finish()]);
  };
  return { series: await rounds(device, options, meters, round) };
}

async function updateOnly(options: CellOptions, meters: Meters) {
  const device = await openOurs(options.adapter, meters);
  const { weights } = await makeStack(device, options);
  const gradients: { name: string; tensor: tf.Tensor }[] = [];
  for (const { name, shape, size } of weights) {
    const tensor = tf.tensor(uniform(size, 1e-3, gradients.length + 2001), shape);
    await device.upload(tensor);
    gradients.push({ name, tensor });
  }
  const optimizer = adam({ learningRate: learningRateOf(options) });
  // tfjs's type of the list says tensors by name; it hands over this too.
  const round = () => optimizer.applyGradients(gradients);
  const series = await rounds(device, options, meters, round);
  const buffersAtEnd = { countedBytes: meters.bufferBytes, backendBytes: device.backendBytes };
  return { series, buffersAtEnd };
}

/** One round a wait, and many: the GPU's own time is better seen in the latter. */
async function rounds(
  device: BareDevice,
  options: CellOptions,
  meters: Meters,
  round: () => void,
): Promise<Series[]> {
  const bytes = UPDATE_BYTES * parametersOf(options);
  await device.finished();
  const timed = async (count: number) => {
    const start = performance.now();
    for (let i = 0; i < count; i++) round();
    await device.finished();
    return (performance.now() - start) / count;
  };
  const measure = async (name: string, count: number): Promise<Series> => {
    meters.enter('warm-up');
    const firstMs = await timed(count);
    meters.enter('awaited');
    const ms: number[] = [];
    while (ms.length < WAITS_PER_REPEAT * options.repeats) ms.push(await timed(count));
    return { name, bytes, firstMs, ms };
  };
  return [await measure(SERIES.awaited, 1), await measure(SERIES.pipelined, ROUNDS_PER_WAIT)];
}

async function syncOnly(options: CellOptions, meters: Meters, slow: string, bytesPerSlow: number) {
  const { syncPeriod, steps, repeats } = options;
  const device = await openOurs(options.adapter, meters);
  const stack = await makeStack(device, options);
  const optimizer = ourLookahead(options, 'release', slow);
  const cycle = await lookaheadCycle(stack, optimizer);
  await device.finished();
  meters.enter('warm-up');
  const first = await timeSyncs(device, cycle, { syncs: 1, syncPeriod });
  meters.enter('awaited');
  const syncs = (steps / syncPeriod) * repeats;
  const times = await timeSyncs(device, cycle, { syncs, syncPeriod });
  const bytes = 2 * bytesPerSlow * stack.parameters; // there and back
  const seriesOf = (name: string, of: 'callMs' | 'doneMs'): Series => {
    const [firstMs = NaN] = first[of];
    return { name, bytes, firstMs, ms: times[of] };
  };
  return {
    series: [seriesOf(SERIES.syncDone, 'doneMs'), seriesOf(SERIES.syncCall, 'callMs')],
    buffersAtEnd: { countedBytes: meters.bufferBytes, backendBytes: device.backendBytes },
    lookahead: optimizer.stats(),
  };
}
