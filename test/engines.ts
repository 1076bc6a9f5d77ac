import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers'; // registers the gradients of tfjs-core's ops
import type { Lookahead } from 'slowlane';
import { startTensorFlow } from 'slowlane/tensorflow';
import { beforeAll, describe } from 'vitest';

/** `npm run test:tensorflow` runs the same tests on libtensorflow alone. */
export const onTensorFlow = process.env['SLOWLANE_TEST_ENGINE'] === 'tensorflow';

/** Runs the same tests on both engines that need no GPU. */
export function onEveryEngine(tests: () => void): void {
  describe.each(onTensorFlow ? ['tensorflow'] : ['cpu', 'wasm'])('on %s', (backend) => {
    beforeAll(async () => {
      if (backend === 'tensorflow') await startTensorFlow();
      await tf.setBackend(backend);
      await tf.ready();
    });
    tests();
  });
}

/** ½·x²: its gradient is x. */
export function halfSquare(x: tf.Variable): tf.Scalar {
  return tf.mul<tf.Scalar>(tf.sum(tf.square(x)), 0.5);
}

export function valuesOf(tensor: tf.Tensor): number[] {
  return [...tensor.dataSync()];
}

/** The same numbers on every run. */
export function noise(shape: number[], seed: number): tf.Tensor {
  return tf.randomNormal(shape, 0, 1, 'float32', seed);
}

/** The same on every engine, those too that cannot be read at once. */
export async function read(tensor: tf.Tensor): Promise<number[]> {
  return [...(await tensor.data<'float32'>())];
}

/** The slow weights as `getWeights()` gives them, in order. */
export async function slowOf(optimizer: Lookahead): Promise<number[][]> {
  const saved = await optimizer.getWeights();
  return Promise.all(
    saved.filter(({ name }) => name.startsWith('slow/')).map(({ tensor }) => read(tensor)),
  );
}
