// What `slowlane bench --engine tensorflow` does not time: syncs of slow weights in fp16, two ways.
//   SLOWLANE_TENSORFLOW=$(node scripts/tensorflow-cache.mjs) npm run bench:tensorflow

import { cpus } from 'node:os';
import * as tf from '@tensorflow/tfjs-core';

import { framed } from '../src/cli/terminal/table.js';
import { startTensorFlow } from '../src/engines/tensorflow/index.js';
import { lookahead, sgd } from '../src/index.js';
import { UNWATCHED } from '../src/measure/devices/devices.js';
import { PlainDevice } from '../src/measure/devices/plain-device.js';
import { spreadOf } from '../src/measure/times/statistics.js';
import { timeSyncs } from '../src/measure/times/timed-syncs.js';
import { offloaded } from '../src/measure/workloads/steppers.js';

const REPEATS = 25;
const CHUNK = 2 ** 20;
const CHUNKS = 16;

const { device, version } = await startTensorFlow();
console.log(
  `libtensorflow ${version} on ${device}, tfjs ${tf.version_core}, Node ${process.versions.node}; ` +
    `${cpus().length} × ${cpus()[0]?.model.trim()}`,
);
console.log("\nA sync of 64 MiB of weights, slow: 'host:f16', median ms");
const texts = (await syncs()).map(([label, ...ms]) => [label, ...ms.map((one) => one.toFixed(2))]);
console.log(framed(texts));

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
  const stepper = await offloaded({ weights, loss }, optimizer);
  const { doneMs } = await timeSyncs(device, stepper, { syncs: REPEATS, syncPeriod: 1 });
  optimizer.dispose();
  tf.dispose(weights);
  return spreadOf(doneMs)?.median ?? NaN;
}
