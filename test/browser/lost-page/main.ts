// Trains on WebGPU; lost.test.ts ends the GPU's process meanwhile, and asks for what is left.

import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers'; // registers the gradients of tfjs-core's ops
import { type Lookahead, lookahead, sgd } from 'slowlane';
import { startWebGPU } from 'slowlane/webgpu';

const FORMATS = ['host:f32', 'host:f16'] as const;
let reason = '';

async function trained(slow: (typeof FORMATS)[number]): Promise<Lookahead> {
  const w = tf.tidy(() => tf.variable(tf.randomNormal([65, 65], 0, 1, 'float32', 1)));
  const optimizer = lookahead(sgd({ learningRate: 0.1 }), { syncPeriod: 2, slow });
  for (let i = 0; i < 3; i++) {
    await optimizer.step(() => tf.sum(tf.square(w)) as tf.Scalar, false, [w]);
  }
  return optimizer;
}

const slowOf = async (optimizer: Lookahead) =>
  (await optimizer.slowWeights()).map(({ values }) => [...values]);

const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => 'none',
    (error: Error & { code?: string }) => error.code ?? error.message,
  );

async function run() {
  const gpu = await startWebGPU();
  const optimizers: Lookahead[] = [];
  for (const slow of FORMATS) optimizers.push(await trained(slow));
  const before = await Promise.all(optimizers.map(slowOf));
  const lost = gpu.backend.device.lost.then((info) => (reason = info.reason));
  return {
    isReady: true,
    /** Call it when the process is gone. */
    async whatIsLeft() {
      await lost;
      const left = await Promise.all(optimizers.map(slowOf));
      const codes = await Promise.all(optimizers.map((optimizer) => codeOf(optimizer.sync())));
      gpu.stop();
      const afterStop = await Promise.all(optimizers.map(slowOf));
      for (const optimizer of optimizers) optimizer.dispose();
      return {
        reason,
        codes,
        isLeft: JSON.stringify(left) === JSON.stringify(before),
        isLeftAfterStop: JSON.stringify(afterStop) === JSON.stringify(before),
        sizes: left.map((slow) => slow[0]?.filter((value) => value !== 0).length),
        hostBytes: gpu.memory().hostBytes,
      };
    },
  };
}

Object.assign(globalThis, { result: run() });
