// Trains on cpu and on WebGPU, and the numbers have to agree: in Node, Bun, Deno and in a page.

import * as tf from '@tensorflow/tfjs';
import { adam, lookahead } from 'slowlane';
import { startWebGPU } from 'slowlane/webgpu';

async function train(options) {
  const weights = [1, 2].map((seed) =>
    tf.tidy(() => tf.variable(tf.randomUniform([64, 64], -1, 1, 'float32', seed))),
  );
  const optimizer = lookahead(adam({ learningRate: 0.01, gradients: 'release', ...options }), {
    slow: 'host:f32',
    syncPeriod: 3,
  });
  const loss = () =>
    tf.tidy(() => tf.add(tf.mean(tf.square(weights[0])), tf.mean(tf.square(weights[1]))));
  for (let i = 0; i < 9; i++) await optimizer.step(loss, false, weights);
  await optimizer.finish();
  const values = [...(await weights[0].data()), ...(await weights[1].data())];
  optimizer.dispose();
  tf.dispose(weights);
  return values;
}

/** Resolves with the adapter's name; throws if the numbers differ. */
export async function smoke() {
  await tf.setBackend('cpu');
  const onCpu = await train({});
  const gpu = await startWebGPU();
  for (const moments of ['device:f32', 'host:f32']) {
    const onGpu = await train({ moments });
    const most = Math.max(...onGpu.map((value, i) => Math.abs(value - onCpu[i])));
    if (!(most < 1e-5)) throw new Error(`${moments}: WebGPU differs from cpu by ${most}`);
  }
  gpu.stop();
  return gpu.adapter.name;
}
