// Moments of one optimizer in all four places: each weight's bits are those of its place alone.

import * as tf from '@tensorflow/tfjs-core';
import { adam } from 'slowlane';
import { expect, test } from 'vitest';

import type { MomentPolicy, StepOptions } from '#src/optimizers/step-options.js';

import { halfSquare, noise, read } from '../../../engines.js';
import { describeWebGPU, start } from '../engine.js';

const PLACES: readonly MomentPolicy[] = ['device:f32', 'device:q8', 'host:f32', 'host:q8'];
/** Elements of each weight: 21 blocks of 256, the last one not full. */
const SIZE = 72 * 72;
const BLOCKS = 21;
const overrides = PLACES.map((moments) => ({ weights: moments.replace(':', '-'), moments }));

function weightsOf(places: readonly MomentPolicy[]): tf.Variable[] {
  return places.map((moments) => {
    const values = noise([SIZE], PLACES.indexOf(moments) + 1);
    return tf.tidy(() => tf.variable(values, true, moments.replace(':', '-')));
  });
}

/** Values and saved state of each weight after 4 micro-batches. */
async function trained(places: readonly MomentPolicy[], options: StepOptions) {
  const weights = weightsOf(places);
  const optimizer = adam(options);
  const loss = () => tf.addN<tf.Scalar>(weights.map(halfSquare));
  for (let i = 0; i < 4; i++) {
    optimizer.minimize(loss, false, weights);
    await optimizer.flush();
  }
  const [, ...saved] = await optimizer.getWeights();
  const result = {
    values: await Promise.all(weights.map(read)),
    state: await Promise.all(saved.map(({ tensor }) => read(tensor))),
  };
  optimizer.dispose();
  tf.dispose(weights);
  return result;
}

describeWebGPU(() => {
  test.each([
    { gradients: 'keep', accumulate: 1 },
    { gradients: 'release', accumulate: 2 },
  ] as const)('$gradients, $accumulate micro-batches', async (options) => {
    const engine = await start();
    const mixed = await trained(PLACES, { ...options, overrides });
    for (const [i, moments] of PLACES.entries()) {
      const alone = await trained([moments], { ...options, moments });
      expect(mixed.values[i]).toEqual(alone.values[0]);
      expect(mixed.state.slice(2 * i, 2 * i + 2)).toEqual(alone.state);
    }
    expect(engine.memory().hostBytes).toBe(0); // all disposed
  });

  test('bytes of device and host, and a step before flush() is refused', async () => {
    const engine = await start();
    const weights = weightsOf(PLACES);
    const optimizer = adam({ gradients: 'release', overrides });
    const step = () =>
      optimizer.minimize(() => tf.addN<tf.Scalar>(weights.map(halfSquare)), false, weights);
    step();
    expect(optimizer.due).toBe(true);
    expect(step).toThrow(expect.objectContaining({ code: 'OFFLOAD_PENDING' }));
    await optimizer.flush();
    expect(optimizer.due).toBe(false);
    step();
    await optimizer.flush();
    const { by, hostBytes } = engine.memory();
    // m and v: float32, or bytes and a scale for each block.
    const [plain, quantized] = [2 * 4 * SIZE, 2 * BLOCKS * (256 + 4)];
    expect(by.moments).toBe(plain + quantized);
    expect(hostBytes).toBe(2 * (plain + quantized)); // a buffer up and one down
    expect(weights.map((weight) => optimizer.momentsOf(weight))).toEqual(PLACES);
    optimizer.dispose();
    tf.dispose(weights);
  });
});
