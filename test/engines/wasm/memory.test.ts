// What a step allocates in the heap, by our kernels and by tfjs's.

import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs';
import { startWasm } from 'slowlane/wasm';
import { expect, test } from 'vitest';

/** Peak of the bytes that kernels of JavaScript allocate; XNNPACK's own allocations are not among them. */
function peakOf(work: () => void): number {
  const { wasm } = tf.backend() as unknown as {
    wasm: { _malloc: (bytes: number) => number; _free: (at: number) => void };
  };
  const { _malloc, _free } = wasm;
  const sizes = new Map<number, number>();
  let [now, peak] = [0, 0];
  wasm._malloc = (bytes) => {
    const at = _malloc(bytes);
    sizes.set(at >>> 0, bytes);
    now += bytes;
    peak = Math.max(peak, now);
    return at;
  };
  wasm._free = (at) => {
    now -= sizes.get(at >>> 0) ?? 0;
    sizes.delete(at >>> 0);
    _free(at);
  };
  work();
  Object.assign(wasm, { _malloc, _free });
  return peak;
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
