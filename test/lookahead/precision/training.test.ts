// Fine-tuning with slow weights below float32. A sync moves a weight of about 1 by up to
// α·k·lr = .5·5·1e-5 = 2.5e-5; half a place of fp16 is 2.4e-4. Rounded to nearest it would never move.

import * as tf from '@tensorflow/tfjs-core';
import { adam, lookahead, type SlowFormat } from 'slowlane';
import { beforeAll, expect, test, vi } from 'vitest';

import { halfValue, roundHalf } from '#workers/codecs/half.js';
import type { BlendKernels } from '#workers/plain-kernels.js';

import { noise } from '../../engines.js';

/** Half a place is added, then truncated. Offered nowhere. */
const TO_NEAREST = 0x8000_1000;

const rounding = vi.hoisted(() => ({ isNearest: false }));

vi.mock('#workers/simd-kernels.js', async (original) => {
  const modules = await original<typeof import('#workers/simd-kernels.js')>();
  return {
    ...modules,
    kernelsFor(memory: WebAssembly.Memory): BlendKernels {
      const kernels = modules.kernelsFor(memory);
      if (!rounding.isNearest) return kernels;
      return {
        ...kernels,
        quantize(format, fromByte, toByte, length) {
          if (format !== 'f16') throw new Error(`${format} is not rounded to nearest here.`);
          const halves = new Uint16Array(memory.buffer, toByte, length);
          const values = new Float32Array(memory.buffer, fromByte, length);
          values.forEach((value, i) => (halves[i] = roundHalf(value, TO_NEAREST)));
        },
      };
    },
  };
});

beforeAll(async () => void (await tf.setBackend('cpu')));

const INPUTS = 64;
const OUTPUTS = 64; // 4,096 weights: as few as are quantized
const EXAMPLES = 256;
const BATCH = 16;
const STEPS = 2000;

/** Loss after fine-tuning weights that are .02 off, to labels with noise; and before. */
async function fineTuned(slow: SlowFormat): Promise<{ before: number; after: number }> {
  const x = tf.mul(noise([EXAMPLES, INPUTS], 1), 1 / 8) as tf.Tensor2D;
  const ideal = noise([INPUTS, OUTPUTS], 2) as tf.Tensor2D;
  const y = tf.add(tf.matMul(x, ideal), tf.mul(noise([EXAMPLES, OUTPUTS], 3), 0.04));
  const weight = tf.variable(
    tf.add(ideal, tf.mul(noise([INPUTS, OUTPUTS], 4), 0.02)) as tf.Tensor2D,
  );
  const lossOf = (from: number, count: number) =>
    tf.mean<tf.Scalar>(
      tf.square(
        tf.sub(
          tf.matMul(tf.slice(x, from, count), weight as tf.Tensor2D),
          tf.slice(y, from, count),
        ),
      ),
    );
  const loss = () => tf.tidy(() => lossOf(0, EXAMPLES).dataSync()[0] as number);
  const before = loss();
  const optimizer = lookahead(adam({ learningRate: 1e-5 }), { slow, workers: 0 });
  for (let i = 0; i < STEPS; i++) {
    await optimizer.step(() => lossOf((i * BATCH) % EXAMPLES, BATCH), false, [weight]);
  }
  await optimizer.finish();
  const after = loss();
  optimizer.dispose();
  tf.disposeVariables();
  tf.dispose([x, ideal, y]);
  return { before, after };
}

test('lr 1e-5, 2,000 steps: f16r8 and f16 within 0.5 % of float32; rounded to nearest nothing is learnt', async () => {
  const { before, after } = await fineTuned('host:f32');
  expect(after).toBeLessThan(0.96 * before);
  for (const slow of ['host:f16r8', 'host:f16'] as const) {
    const rounded = await fineTuned(slow);
    expect(Math.abs(rounded.after / after - 1)).toBeLessThan(0.005);
  }
  expect(halfValue(roundHalf(1.0006, TO_NEAREST))).toBe(1 + 2 ** -10);
  rounding.isNearest = true;
  const stuck = await fineTuned('host:f16');
  rounding.isNearest = false;
  expect(stuck.after / after).toBeGreaterThan(1.02);
}, 240_000);
