// Trains some steps with the built slowlane (npm run build) on the WebGPU of this runtime, compares with the cpu backend, saves,
// resumes, and says what it found.
//   node test/ports/runtimes.mjs | bun test/ports/runtimes.mjs | deno run -A test/ports/runtimes.mjs
// `--default-limits`: with WebGPU's default limits, and a weight that is as large as a binding may be.
// `--package`: with the npm package `webgpu`, also where the runtime has a WebGPU of its own. Exit code 0: all is well.

import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-layers'; // registers the gradients of tfjs-core's ops

const { adam, loadTraining, lookahead, saveTraining, sgd } =
  await import('../../dist/src/index.js');
const { startWebGPU } = await import('../../dist/src/engines/webgpu/index.js');
const { thisRuntime } = await import('../../dist/src/checks/runtime.js');

const isPackage = process.argv.includes('--package');
// As somebody's own property it is not the runtime's.
if (isPackage && 'navigator' in globalThis) {
  Object.defineProperty(navigator, 'gpu', { value: undefined, configurable: true });
}
const hasDefaultLimits = process.argv.includes('--default-limits');
if (hasDefaultLimits) {
  (await startWebGPU()).stop(); // where the package is used, it defines the class
  const requestDevice = Reflect.get(GPUAdapter.prototype, 'requestDevice');
  GPUAdapter.prototype.requestDevice = function withDefaults(wanted) {
    return requestDevice.call(this, { ...wanted, requiredLimits: {} });
  };
}
await tf.setBackend('cpu');
const reference = { optimizer: make({ slow: 'host:f32', moments: 'device:f32' }), ...problem() };
await train(reference, 6);
const onCpu = await reference.w.data();

const gpu = await startWebGPU();
const isOwn = !Object.hasOwn(navigator, 'gpu');
const { name, version } = thisRuntime();
console.log(`${name} ${version}, WebGPU ${isOwn ? 'of the runtime' : 'of the package webgpu'}`);
console.log(`adapter ${gpu.adapter.name}`);

const POLICIES = [
  { slow: 'host:f32', moments: 'device:f32' },
  { slow: 'host:f32', moments: 'host:f32' },
  { slow: 'host:f16', moments: 'host:q8' },
  { slow: 'device:f32', moments: 'device:q8' },
];

/** The same numbers on every backend. */
function problem() {
  const values = Float32Array.from({ length: 64 * 64 }, (_, i) => Math.sin(i));
  const w = tf.tidy(() => tf.variable(tf.tensor2d(values, [64, 64])));
  return { w, loss: () => tf.tidy(() => tf.mean(tf.square(w))) };
}

function make({ slow, moments }) {
  return lookahead(adam({ learningRate: 0.01, moments }), { syncPeriod: 3, slow });
}

async function train({ optimizer, w, loss }, steps) {
  const losses = [];
  for (let i = 0; i < steps; i++) {
    const value = await optimizer.step(loss, true, [w]);
    losses.push((await value.data())[0]);
    value.dispose();
  }
  return losses;
}

for (const policy of POLICIES) {
  const whole = { optimizer: make(policy), ...problem() };
  const losses = await train(whole, 6);
  if (!(losses.at(-1) < losses[0]))
    throw new Error(`The loss does not fall: ${losses.join(', ')}.`);
  const weights = await whole.w.data();
  if (policy.slow === 'host:f32') {
    const most = Math.max(...weights.map((value, i) => Math.abs(value - onCpu[i])));
    if (!(most < 1e-5)) throw new Error(`WebGPU differs from cpu by ${most}.`);
  }
  // The same in two halves.
  const first = { optimizer: make(policy), ...problem() };
  await train(first, 3);
  const bytes = await saveTraining(first.optimizer, [first.w]);
  const second = { optimizer: make(policy), ...problem() };
  await loadTraining(bytes, second.optimizer, [second.w]);
  await train(second, 3);
  const resumed = await second.w.data();
  const differ = weights.filter((value, i) => !Object.is(value, resumed[i])).length;
  if (differ > 0) throw new Error(`${differ} weights differ after save() and load().`);
  for (const { optimizer, w } of [whole, first, second]) {
    optimizer.dispose();
    w.dispose();
  }
  console.log(`slow ${policy.slow}, moments ${policy.moments}: trains, resumes to the bit`);
}
const { maxStorageBufferBindingSize: most } = gpu.limits;
console.log(`a binding up to ${most / 2 ** 20} MiB`);
if (hasDefaultLimits) {
  const columns = 1024;
  const rows = most / 4 / columns;
  for (const more of [0, 1]) {
    const w = tf.tidy(() => tf.variable(tf.zeros([rows + more, columns])));
    const optimizer = lookahead(sgd({ learningRate: 0.1 }), { syncPeriod: 1 });
    const said = await train({ optimizer, w, loss: () => tf.tidy(() => tf.sum(w)) }, 1).then(
      () => 'trains',
      (error) => error.name,
    );
    console.log(`a weight of a binding and ${more} rows: ${said}`);
    if (said !== (more === 0 ? 'trains' : 'GpuLimitError')) process.exitCode = 1;
    if (more === 0) w.dispose(); // the other one cannot be used
    if (more === 0) optimizer.dispose();
  }
}
gpu.stop();
// The doctor's copies to a worker: they end.
const { hostSpeeds } = await import('../../dist/src/cli/doctor/speeds.js');
const limit = setTimeout(() => {
  console.error('hostSpeeds() hangs.');
  process.exit(1);
}, 30_000);
for (const { what, gbPerSecond } of await hostSpeeds()) {
  console.log(`${what}: ${gbPerSecond.toFixed(1)} GB/s`);
}
clearTimeout(limit);
console.log(process.exitCode === 1 ? 'something is wrong' : 'all is well');
