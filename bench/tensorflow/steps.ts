// One optimizer on a stack of dense layers, in a process of its own: how far its memory rises, and how long a step takes.

import { readFileSync, writeFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';

import { startTensorFlow } from '../../src/engines/tensorflow/index.js';
import { adam, lookahead } from '../../src/index.js';
import { spreadOf } from '../../src/measure/times/statistics.js';
import { unregisterEngine } from '../../src/engine/engine.js';

export const LAYERS = 8;
export const WIDTH = 1024;
const BATCH = 32;
const SYNC_PERIOD = 5;
const WARM_UP = 2 * SYNC_PERIOD;
const CYCLES = 15;

interface Contender {
  step(loss: () => tf.Scalar, weights: tf.Variable[]): void | Promise<void>;
  hostBytes?(): number;
  /** So far. */
  syncMs?(): number;
}

export interface Measured {
  /** These three over the parameters. */
  readonly processBytes: number;
  readonly countedBytes: number;
  readonly hostBytes: number;
  readonly stepMs: number;
  /** The syncs' share of it. */
  readonly syncMs: number;
}

export const CONTENDERS: Readonly<Record<string, (backend: tf.KernelBackend) => Contender>> = {
  'tf.train.adam': () => inner(tf.train.adam(1e-3)),
  'adam(), tensor operations': (backend) => {
    unregisterEngine(backend);
    return inner(adam());
  },
  'adam(), in place': () => inner(adam()),
  "adam({ gradients: 'release' }), in place": () => inner(adam({ gradients: 'release' })),
  'lookahead(adam())': () => offloaded(adam()),
  "lookahead(adam({ gradients: 'release' }))": () => offloaded(adam({ gradients: 'release' })),
};

function inner(optimizer: tf.Optimizer): Contender {
  return { step: (loss, weights) => void optimizer.minimize(loss, false, weights) };
}

function offloaded(optimizer: tf.Optimizer): Contender {
  const outer = lookahead(optimizer, { syncPeriod: SYNC_PERIOD });
  return {
    step: async (loss, weights) => void (await outer.step(loss, false, weights)),
    syncMs: () => outer.stats().syncMs.total,
    hostBytes: () => outer.stats().host.slowBytes + outer.stats().host.stagingBytes,
  };
}

export async function measure(name: string): Promise<Measured> {
  const { backend } = await startTensorFlow();
  const make = CONTENDERS[name];
  if (make === undefined) throw new Error(`No contender is called '${name}'.`);
  const [x, y] = [tf.randomNormal([BATCH, WIDTH]), tf.randomNormal([BATCH, WIDTH])];
  tf.tidy(() => void tf.matMul(x, y, true).dataSync()); // what TensorFlow itself needs
  writeFileSync('/proc/self/clear_refs', '5'); // the peak begins anew
  const before = resident('VmRSS');

  const layers = Array.from({ length: LAYERS }, () =>
    tfl.layers.dense({ units: WIDTH, inputShape: [WIDTH], useBias: false, activation: 'relu' }),
  );
  const model = tfl.sequential({ layers });
  const weights = model.trainableWeights.map((w) => w.read() as tf.Variable);
  const loss = () => tf.mean<tf.Scalar>(tf.squaredDifference(model.apply(x) as tf.Tensor, y));
  const contender = make(backend);
  const run = async (steps: number) => {
    for (let i = 0; i < steps; i++) await contender.step(loss, weights);
    weights[0]?.dataSync();
  };
  await run(WARM_UP);
  const syncBefore = contender.syncMs?.() ?? 0;
  const cycles: number[] = [];
  for (let i = 0; i < CYCLES; i++) {
    const began = performance.now();
    await run(SYNC_PERIOD);
    cycles.push((performance.now() - began) / SYNC_PERIOD);
  }
  const stepMs = spreadOf(cycles)?.median ?? NaN;
  const syncMs = ((contender.syncMs?.() ?? 0) - syncBefore) / (CYCLES * SYNC_PERIOD);
  const processBytes = resident('VmHWM') - before;
  const { peakBytes } = await tf.profile(async () => {
    await run(SYNC_PERIOD);
    return tf.zeros([0]);
  });
  const parameters = LAYERS * WIDTH * WIDTH;
  return {
    processBytes: processBytes / parameters,
    countedBytes: peakBytes / parameters,
    hostBytes: (contender.hostBytes?.() ?? 0) / parameters,
    stepMs,
    syncMs,
  };
}

/** Of this process, as Linux counts it. */
function resident(what: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync('/proc/self/status', 'utf8');
  const [, kibibytes = NaN] = new RegExp(`${what}:\\s+(\\d+)`).exec(status) ?? [];
  return Number(kibibytes) * 1024;
}
