// What the tests bundle: one weight of 65,536 elements takes a step and a sync, without threads and with one.
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { lookahead, sgd } from 'slowlane';
import { startTensorFlow } from 'slowlane/tensorflow';
import { startWasm } from 'slowlane/wasm';
import { startWebGPU } from 'slowlane/webgpu';

async function train(workers) {
  const weight = tf.tidy(() => tf.variable(tf.ones([256, 256])));
  const optimizer = lookahead(sgd({ learningRate: 0.5 }), { syncPeriod: 1, workers });
  optimizer.minimize(() => tf.sum(weight), false, [weight]);
  await optimizer.sync();
  const { workers: where } = optimizer.stats();
  const [first] = await weight.data();
  return `${first} ${where}`;
}

async function main() {
  await tf.setBackend('cpu');
  const tensorflow = await startTensorFlow().then(
    () => 'started',
    (error) => error.code ?? error.stack,
  );
  const done = [
    await train(0),
    await train(1),
    `${typeof startWebGPU} ${typeof startWasm}`,
    tensorflow.toUpperCase() === tensorflow ? 'code' : tensorflow,
  ];
  process.stdout.write(done.join(', '));
}

void main();
