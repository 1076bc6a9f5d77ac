// What startWasm() gains: the same training steps with its kernels and with tfjs's, by turns in one process.
//   npm run bench:wasm

import { cpus, loadavg } from 'node:os';
import * as tf from '@tensorflow/tfjs-core';

import { framed } from '../src/cli/terminal/table.js';
import { startCpuBackend } from '../src/engines/portable/start.js';
import { startWasm } from '../src/engines/wasm/index.js';
import { UNWATCHED } from '../src/measure/devices/devices.js';
import { PlainDevice } from '../src/measure/devices/plain-device.js';
import { spreadOf } from '../src/measure/times/statistics.js';
import { makeWorkload } from '../src/measure/workloads/make-workload.js';
import type { WorkloadName } from '../src/measure/workloads/policies.js';

const TURNS = 7;

/** Runs `work` on one side. */
type Side = (work: () => void) => Promise<void>;

const ours: Side = async (work) => {
  const engine = await startWasm();
  work();
  engine.stop();
};
const onTfjs =
  (backend: 'wasm' | 'cpu'): Side =>
  async (work) => {
    await tf.setBackend(backend);
    work();
  };

tf.enableProdMode();
await startCpuBackend('cpu');
await startCpuBackend('wasm');
console.log(
  `tfjs ${tf.version_core}, Node ${process.versions.node}; ${cpus().length} × ${cpus()[0]?.model.trim()}; ` +
    `load ${loadavg()[0]?.toFixed(1)}. Median ms of a step with tf.train.sgd, of ${TURNS} turns.`,
);
const rows = [
  await compared('mlp', 64, 'wasm'),
  await compared('stack', 64, 'wasm', { layers: 8, width: 1024 }),
  await compared('lstm', 64, 'wasm'),
  await compared('transformer', 16, 'wasm'),
  await compared('cnn', 64, 'cpu'),
];
console.log(
  framed(rows, ['model', 'against', 'theirs', 'ours', 'times as fast', 'first loss differs by']),
);

/** One step of warming up, then one that is timed, on each side in turn. */
async function compared(
  model: WorkloadName,
  batch: number,
  backend: 'wasm' | 'cpu',
  size: { layers: number; width: number } | null = null,
): Promise<string[]> {
  const shape = { model, batch, layers: null, width: null, ...size };
  const { loss, weights } = await makeWorkload(new PlainDevice(false, UNWATCHED), shape);
  const optimizer = tf.train.sgd(1e-3);
  const step = () => optimizer.minimize(loss, false, [...weights]);
  const sides = [onTfjs(backend), ours].map((run) => ({ run, ms: [] as number[], loss: NaN }));
  for (const side of sides) {
    await side.run(() => {
      side.loss = tf.tidy(() => loss().dataSync()[0] ?? NaN);
    });
  }
  for (let turn = 0; turn < TURNS; turn++) {
    for (const { run, ms } of sides) {
      await run(() => {
        step(); // also moves the weights to this backend
        const start = performance.now();
        step();
        ms.push(performance.now() - start);
      });
    }
  }
  tf.disposeVariables();
  const [theirs = NaN, own = NaN] = sides.map(({ ms }) => spreadOf(ms)?.median);
  const [a = NaN, b = NaN] = sides.map((side) => side.loss);
  return [
    `${model}, batch ${batch}`,
    backend,
    theirs.toFixed(1),
    own.toFixed(1),
    (theirs / own).toFixed(1),
    Math.abs(a / b - 1).toExponential(0),
  ];
}
