// What a step allocates in the heap, by our kernels and by tfjs's.

import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs';
import { startWasm } from 'slowlane/wasm';
import { expect, test } from 'vitest';

import { heapPeak } from '#src/measure/meters/heap-peak.js';
import type { WasmBackend } from '#src/tfjs/wasm-backend.js';

function peakOf(work: () => void): number {
  const peak = heapPeak(tf.backend() as WasmBackend);
  work();
  peak.stop();
  return peak.bytes;
}

test('a step takes at most one operand more than with tfjs’s kernels: 300 × 400 numbers', async () => {
  const engine = await startWasm();
  const x = tf.randomNormal([64, 300], 0, 1, 'float32', 1);
  const weights = [tf.variable(tf.zeros([300, 400])), tf.variable(tf.zeros([400, 10]))] as const;
  const step = () =>
    tf.tidy(() => {
      const hidden = tf.relu(tf.matMul(x, weights[0]));
      return tf.mean(tf.square(tf.matMul(hidden, weights[1])));
    }) as tf.Scalar;
  const train = () => tf.train.sgd(0.1).minimize(step, false, [...weights]);
  train(); // allocates the scratch memory
  const ours = peakOf(train);
  engine.stop();
  await tf.setBackend('wasm');
  const theirs = peakOf(train);
  expect(ours).toBeGreaterThan(0);
  expect(ours).toBeLessThanOrEqual(theirs + 4 * 300 * 400);
  tf.dispose([x, ...weights]);
});
