// What updates in place gain on wasm: adam() as tensor operations and in place, by turns in one process.
//   npm run bench:wasm-updates

import { cpus, loadavg } from 'node:os';
import * as tf from '@tensorflow/tfjs-core';

import { framed } from '../src/cli/terminal/table.js';
import { type Engine, engineOf, registerEngine, unregisterEngine } from '../src/engine/engine.js';
import { startWasm } from '../src/engines/wasm/index.js';
import { UNWATCHED } from '../src/measure/devices/devices.js';
import { heapPeak } from '../src/measure/meters/heap-peak.js';
import { PlainDevice } from '../src/measure/devices/plain-device.js';
import { spreadOf } from '../src/measure/times/statistics.js';
import { makeWorkload } from '../src/measure/workloads/make-workload.js';
import type { WorkloadName } from '../src/measure/workloads/policies.js';
import { adam } from '../src/optimizers/index.js';
import { isWasmBackend, type WasmBackend } from '../src/tfjs/wasm-backend.js';

const TURNS = 9;
/** Adam reads the weight, two moments and the gradient, and writes all but the last: as a copy of half as much. */
const COPIED = 14;

tf.enableProdMode();
const { backend } = await startWasm();
if (!isWasmBackend(backend)) throw new Error('The engine is not on wasm.');
const engine = engineOf(backend) as Engine;
console.log(
  `tfjs ${tf.version_core}, Node ${process.versions.node}; ${cpus().length} × ${cpus()[0]?.model.trim()}; ` +
    `load ${loadavg()[0]?.toFixed(1)}. adam(), batch 32. Median ms of all updates of a step, of ${TURNS} turns; a copy of as ` +
    `many bytes as they read and write; peak of a step in bytes per parameter.`,
);
const rows = [
  ...(await compared(backend, 'stack', { layers: 8, width: 1024 })),
  ...(await compared(backend, 'mlp', null)),
];
console.log(
  framed(rows, [
    'model',
    'gradients',
    'tensor ops',
    'in place',
    'times as fast',
    'copy',
    'peak, tensor ops',
    'peak, in place',
  ]),
);

async function compared(
  wasm: WasmBackend,
  model: WorkloadName,
  size: { layers: number; width: number } | null,
): Promise<string[][]> {
  const shape = { model, batch: 32, layers: null, width: null, ...size };
  const workload = await makeWorkload(new PlainDevice(false, UNWATCHED), shape);
  const { loss, parameters } = workload;
  const weights = [...workload.weights];
  const sides = [() => unregisterEngine(wasm), () => registerEngine(wasm, engine)];
  const { grads } = tf.variableGrads(loss, weights);
  const optimizer = adam();
  const ms: number[][] = [[], [], []];
  const update = () => optimizer.applyGradients(grads);
  update(); // makes the moments
  const [from, to] = [new Uint8Array(COPIED * parameters), new Uint8Array(COPIED * parameters)];
  for (let turn = 0; turn < TURNS; turn++) {
    for (const [s, begin] of sides.entries()) {
      begin();
      update();
      ms[s]?.push(timeOf(update));
    }
    to.set(from);
    ms[2]?.push(timeOf(() => to.set(from)));
  }
  tf.dispose(grads);
  optimizer.dispose();
  const [ops = NaN, inPlace = NaN, copy = NaN] = ms.map((times) => spreadOf(times)?.median);
  const rows = (['keep', 'release'] as const).map((gradients) => {
    const trainer = adam({ gradients });
    const peaks = sides.map((begin) => {
      begin();
      const peak = peakOf(wasm, () => trainer.minimize(loss, false, weights));
      return (peak / parameters).toFixed(1);
    });
    trainer.dispose();
    return [
      model,
      gradients,
      ops.toFixed(2),
      inPlace.toFixed(2),
      (ops / inPlace).toFixed(1),
      copy.toFixed(2),
      ...peaks,
    ];
  });
  tf.disposeVariables();
  return rows;
}

function timeOf(work: () => void): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}

/** The peak in the second run of `work`, of the bytes of all tensors and of what kernels allocate beside them. */
function peakOf(backend: WasmBackend, work: () => void): number {
  const peak = heapPeak(backend);
  work(); // makes the moments; from now on the size of all that may be freed is known
  peak.restart(tf.memory().numBytes);
  work();
  peak.stop();
  return peak.bytes;
}
