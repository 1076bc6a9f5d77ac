// What `slowlane bench --engine tensorflow` does not time: an update alone, three ways; the way of weights to the host and
// back, by our adapter and by the generic one; and syncs of slow weights in fp16, two ways.
//   SLOWLANE_TENSORFLOW=$(node scripts/tensorflow-cache.mjs) npm run bench:tensorflow

import { cpus } from 'node:os';
import * as tf from '@tensorflow/tfjs-core';

import { framed } from '../src/cli/terminal/table.js';
import type { Device } from '../src/engine/device.js';
import { type Engine, engineOf, registerEngine, unregisterEngine } from '../src/engine/engine.js';
import { currentDevice } from '../src/engines/current-device.js';
import { genericDevice } from '../src/engines/portable/devices.js';
import { startTensorFlow } from '../src/engines/tensorflow/index.js';
import { adam, lookahead, sgd } from '../src/index.js';
import { UNWATCHED } from '../src/measure/devices/devices.js';
import { PlainDevice } from '../src/measure/devices/plain-device.js';
import { spreadOf } from '../src/measure/times/statistics.js';
import { lookaheadCycle, timeSyncs } from '../src/measure/times/timed-syncs.js';

const REPEATS = 25;
const CHUNK = 2 ** 20;
const CHUNKS = 16;

const { device, version } = await startTensorFlow();
console.log(
  `libtensorflow ${version} on ${device}, tfjs ${tf.version_core}, Node ${process.versions.node}; ` +
    `${cpus().length} × ${cpus()[0]?.model.trim()}`,
);
print('An update of one weight: Adam, median ms', await updates());
print('64 MiB to the host and back in chunks of 4 MiB, median ms', await moves());
print("A sync of 64 MiB of weights, slow: 'host:f16', median ms", await syncs());

function print(title: string, rows: readonly (readonly [string, ...number[]])[]): void {
  const texts = rows.map(([label, ...values]) => [label, ...values.map((one) => one.toFixed(2))]);
  console.log(`\n${title}\n${framed(texts)}`);
}

/** Elements of the weight, and what each of the three takes. */
async function updates(): Promise<[string, ...number[]][]> {
  const backend = tf.backend();
  const sizes = [64, 2 ** 16, 2 ** 20, 2 ** 22];
  const time = async (make: () => tf.Optimizer) => {
    const times: number[] = [];
    for (const size of sizes) {
      const [weight, gradient] = [tf.variable(tf.ones([size])), tf.ones([size])];
      const optimizer = make();
      times.push(await medianOf(() => optimizer.applyGradients({ [weight.name]: gradient })));
      optimizer.dispose();
      tf.dispose([weight, gradient]);
    }
    return times;
  };
  const theirs = await time(() => tf.train.adam());
  const engine = engineOf(backend) as Engine;
  unregisterEngine(backend);
  const plain = await time(() => adam());
  registerEngine(backend, engine);
  const inPlace = await time(() => adam());
  return [
    ['elements', ...sizes],
    ['tf.train.adam', ...theirs],
    ['adam(), tensor operations', ...plain],
    ['adam(), in place', ...inPlace],
  ];
}

async function moves(): Promise<[string, ...number[]][]> {
  const one = await movesOf([CHUNKS]);
  const many = await movesOf(Array.from({ length: CHUNKS }, () => 1));
  return [
    ['MiB of each weight', 4 * CHUNKS, 4],
    ...one.map(([label, ms], i): [string, ...number[]] => [label, ms, many[i]?.[1] ?? NaN]),
  ];
}

/** Of weights that have so many chunks. */
async function movesOf(chunksOfEach: readonly number[]): Promise<[string, number][]> {
  const weights = chunksOfEach.map((chunks) =>
    tf.tidy(() => tf.variable(tf.ones([CHUNK * chunks]))),
  );
  const staging = new Float32Array(new SharedArrayBuffer(CHUNK * 4));
  const parts = chunksOfEach.flatMap((chunks, w) =>
    Array.from({ length: chunks }, (_, i) => ({
      weight: weights[w] as tf.Variable<tf.Rank.R1>,
      start: i * CHUNK,
    })),
  );
  const pull = async (device: Device) => {
    for (const { weight, start } of parts) await device.pull(weight, start, staging);
  };
  const push = async (device: Device) => {
    const writer = device.write();
    for (const { weight, start } of parts) await writer.push(weight, start, staging);
    for (const weight of weights) tf.tidy(() => void tf.slice(weight, 0, 1).dataSync());
  };
  const [ours, generic] = [currentDevice(), genericDevice];
  const rows: [string, number][] = [
    ['pull', await medianOf(() => pull(ours))],
    ['pull, generic adapter', await medianOf(() => pull(generic))],
    ['push', await medianOf(() => push(ours))],
    ['push, generic adapter', await medianOf(() => push(generic))],
  ];
  tf.dispose(weights);
  return rows;
}

/** Slow weights of fp16: their blend by worker threads, and by TensorFlow, which takes half the bytes over the bus. */
async function syncs(): Promise<[string, ...number[]][]> {
  const rows: [string, ...number[]][] = [['MiB of each weight', 4 * CHUNKS, 4]];
  for (const transfers of ['float', 'half'] as const) {
    const { device: where } = await startTensorFlow({ transfers });
    const device = new PlainDevice(where === 'gpu', UNWATCHED);
    const ms = [await syncOf(device, 1, CHUNKS), await syncOf(device, CHUNKS, 1)];
    rows.push([
      transfers === 'float' ? 'as floats, by workers' : 'as halves, by TensorFlow',
      ...ms,
    ]);
  }
  return rows;
}

async function syncOf(device: PlainDevice, count: number, chunks: number): Promise<number> {
  const weights = Array.from({ length: count }, () =>
    tf.tidy(() => tf.variable(tf.randomNormal([CHUNK / 1024, 1024 * chunks]))),
  );
  const loss = () => tf.tidy(() => tf.addN<tf.Scalar>(weights.map((w) => tf.mean(w))));
  const optimizer = lookahead(sgd({ learningRate: 0.1 }), { slow: 'host:f16', syncPeriod: 1 });
  const cycle = await lookaheadCycle({ weights, loss }, optimizer);
  const { doneMs } = await timeSyncs(device, cycle, { syncs: REPEATS, syncPeriod: 1 });
  optimizer.dispose();
  tf.dispose(weights);
  return spreadOf(doneMs)?.median ?? NaN;
}

async function medianOf(work: () => void | Promise<void>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < REPEATS; i++) {
    const began = performance.now();
    await work();
    times.push(performance.now() - began);
  }
  return spreadOf(times)?.median ?? NaN;
}
