// What Lookahead adds to training where host and device are one computer: the share of a step, and a sync beside what
// plain variables and plain copies take. All sides take turns in one process.
//   npm run bench:sync -- cpu|wasm|tensorflow

import { cpus, loadavg } from 'node:os';
import * as tf from '@tensorflow/tfjs-core';

import { framed } from '../src/cli/terminal/table.js';
import { adam, lookahead, sgd } from '../src/index.js';
import { UNWATCHED } from '../src/measure/devices/devices.js';
import { PlainDevice, startPlain } from '../src/measure/devices/plain-device.js';
import { spreadOf } from '../src/measure/times/statistics.js';
import { makeWorkload } from '../src/measure/workloads/make-workload.js';
import { offloaded, onDevice, plain, type Stepper } from '../src/measure/workloads/steppers.js';
import { isTensorFlowBackend } from '../src/tfjs/tensorflow-backend.js';

const K = 5;
const CYCLES = 9;
const SYNCS = 15;
const FORMATS = ['host:f32', 'host:f16r8', 'host:f16', 'host:bf16', 'host:int8'] as const;

type Sides = Record<string, () => void | Promise<void>>;

const [name = 'wasm'] = process.argv.slice(2);
if (name !== 'cpu' && name !== 'wasm' && name !== 'tensorflow') {
  throw new RangeError(`No engine ${name}: use cpu, wasm or tensorflow.`);
}
const { words } = await startPlain(name);
const device = new PlainDevice(false, UNWATCHED);
console.log(
  `${words}; tfjs ${tf.version_core}, Node ${process.versions.node}; ${cpus().length} × ` +
    `${cpus()[0]?.model.trim()}; load ${loadavg()[0]?.toFixed(1)}`,
);
if (name !== 'cpu') await shares();
if (name === 'cpu') await syncs('8 MiB in 2 weights', 2, 1024); // its loops take long
else await syncs('32 MiB in 8 weights', 8, 1024);
await syncs('0.4 MiB in 4 weights', 4, 160);

/** A step of 8 dense layers of 1,024², batch 64, with and without Lookahead. */
async function shares(): Promise<void> {
  const shape = { model: 'stack', batch: 64, layers: 8, width: 1024 } as const;
  const trained = await makeWorkload(device, shape);
  const inner = plain(trained, adam({ learningRate: 4e-5 }));
  const outer = await offloaded(
    trained,
    lookahead(adam({ learningRate: 4e-5 }), { syncPeriod: K, replaced: 'ignore' }),
  );
  const cycle = (one: Stepper) => async () => {
    for (let step = 0; step < K; step++) await one.step(false);
  };
  const ms = await medians({ inner: cycle(inner), outer: cycle(outer) }, CYCLES);
  const [a, b] = [(ms.inner ?? NaN) / K, (ms.outer ?? NaN) / K];
  console.log(`\nms a step, 8 dense layers of 1,024², batch 64, Adam, k = ${K}`);
  console.log(
    framed(
      [[a.toFixed(1), b.toFixed(1), `${(100 * (b / a - 1)).toFixed(1)} %`]],
      ['adam()', 'lookahead(adam())', 'Lookahead adds'],
    ),
  );
  tf.disposeVariables();
}

/** Syncs alone, after a step of plain SGD that is not timed. */
async function syncs(title: string, count: number, width: number): Promise<void> {
  const weights = Array.from({ length: count }, () =>
    tf.tidy(() => tf.variable(tf.randomNormal([width, width]))),
  );
  const loss = () => tf.tidy(() => tf.addN<tf.Scalar>(weights.map((w) => tf.mean(w))));
  const bytes = 4 * count * width * width;
  const trained = { weights, loss };
  const sides: Sides = { 'plain copy of its bytes, twice': copying(bytes) };
  const before: Sides = {};
  const plainSync = onDevice(trained, tf.train.sgd(0.1), 1);
  sides['plain variables'] = () => plainSync.sync();
  if (isTensorFlowBackend(tf.backend()))
    sides['plain reads and new tensors'] = throughHost(weights);
  for (const slow of [...FORMATS, 'device:f32'] as const) {
    const stepper = await offloaded(trained, lookahead(sgd({ learningRate: 0.1 }), options(slow)));
    before[slow] = () => stepper.minimize();
    sides[slow] = () => stepper.sync();
  }
  const ms = await medians(sides, SYNCS, before);
  const unit = ms['plain variables'] ?? NaN;
  const f32 = ms['host:f32'] ?? NaN;
  console.log(`\nA sync of ${title}: median ms of ${SYNCS}`);
  console.log(
    framed(
      Object.entries(ms).map(([side, one]) => [
        side,
        one.toFixed(2),
        (one / unit).toFixed(2),
        (one / f32).toFixed(2),
      ]),
      ['', 'ms', '× plain variables', '× host:f32'],
    ),
  );
  tf.disposeVariables();
}

function options(slow: (typeof FORMATS)[number] | 'device:f32') {
  return { slow, syncPeriod: 1, replaced: 'ignore', sync: 'awaited' } as const;
}

function copying(bytes: number): () => void {
  const [from, to] = [new Float32Array(bytes / 4).fill(1), new Float32Array(bytes / 4).fill(1)];
  return () => {
    to.set(from);
    from.set(to);
  };
}

/** What TensorFlow.js has for it: each weight's values, and a new tensor of them. */
function throughHost(weights: readonly tf.Variable[]): () => void {
  return () => {
    for (const weight of weights) {
      const value = tf.tensor(weight.dataSync(), weight.shape);
      weight.assign(value);
      tf.tidy(() => tf.add(value, 0)); // brings it there
      value.dispose();
    }
  };
}

/** Median milliseconds of each side, by turns. `before` is not timed. */
async function medians(
  sides: Sides,
  turns: number,
  before: Sides = {},
): Promise<Record<string, number>> {
  const ms = Object.fromEntries(Object.keys(sides).map((side) => [side, [] as number[]]));
  for (let turn = -2; turn < turns; turn++) {
    for (const [side, work] of Object.entries(sides)) {
      await before[side]?.();
      const start = performance.now();
      await work();
      if (turn >= 0) ms[side]?.push(performance.now() - start);
    }
  }
  return Object.fromEntries(
    Object.entries(ms).map(([side, times]) => [side, spreadOf(times)?.median ?? NaN]),
  );
}
