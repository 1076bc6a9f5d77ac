// The core without WebGPU, as a page would use it: the trajectories that core.test.ts compares.

import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers'; // registers the gradients of tfjs-core's ops
import { adam, type Lookahead, lookahead, sgd } from 'slowlane';

import golden from '../../golden.json' with { type: 'json' };

async function trajectory(
  optimizer: Lookahead,
  x0: number,
  steps: number,
  loss: (x: tf.Variable) => tf.Scalar,
): Promise<number[]> {
  const x = tf.tidy(() => tf.variable(tf.scalar(x0)));
  const values: number[] = [];
  for (let i = 0; i < steps; i++) {
    await optimizer.step(() => loss(x), false, [x]);
    values.push(...(await x.data()));
  }
  await optimizer.finish();
  optimizer.dispose();
  x.dispose();
  return values;
}

async function run() {
  await tf.setBackend('cpu');
  const { x0, learningRate, syncPeriod } = golden.constantGradient;
  const { numTensors } = tf.memory();
  const constantGradient = await trajectory(
    lookahead(sgd({ learningRate }), { syncPeriod, slowStepSize: 0.25 }),
    x0,
    9,
    (x) => tf.mul(x, 1),
  );
  const quadratic = await trajectory(lookahead(adam({ learningRate: 0.1 })), 1, 15, (x) =>
    tf.mul(tf.sum(tf.square(x)), 0.5),
  );
  return {
    backend: tf.getBackend(),
    constantGradient,
    quadratic,
    leaked: tf.memory().numTensors - numTensors,
  };
}

Object.assign(globalThis, { result: run() });
