import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { updateInPlaceOn } from './in-place.js';
import { adam, schedules, sgd } from '#src/optimizers/index.js';
import {
  type Backend,
  type Make,
  RULES,
  noErrors,
  portably,
  relativeDifference,
  startSoftwareWebGPU,
  trained,
  variableOf,
} from './webgpu.js';

let backend: Backend;
beforeAll(async () => {
  backend = await startSoftwareWebGPU();
  updateInPlaceOn(backend);
});
afterEach(() => noErrors(backend));

/**
 * How far two kernels of one device may be apart after `steps` steps, relative to the usual size of the values. On the software
 * drivers both round as IEEE 754 does, and the same operations are within 1e-6. WGSL allows more. A unit is 2⁻²³ of
 * a value. A quotient may be off by 2.5 units, a root by 4.5 (an inverse root 2, its inverse 2.5), each other result by 0.5
 * (a product fused into a sum by less). An update of adam has three quotients, a root and about ten others in a row:
 * 3 · 2.5 + 4.5 + 10 · 0.5 = 17 units, for each of two kernels 34, of a sum of updates that is no larger than the usual
 * values here. Where two kernels differ, a step may also round the weight and a slot apart by a unit more. A subnormal
 * number that is flushed is less than 2⁻¹²⁶, nothing beside these.
 */
const mostApart = (steps: number): number =>
  process.env['SLOWLANE_PORTS'] === 'sloppy' ? (34 + steps) * 2 ** -23 : 1e-6;

/** The weight and each slot, in place and by tensor operations, after the same steps. */
async function expectParity(make: Make, size: number, steps: number): Promise<void> {
  const inPlace = await trained(make(), size, steps);
  const plain = await portably(backend, () => trained(make(), size, steps));
  expect(inPlace.length).toBe(plain.length);
  for (const [i, values] of plain.entries()) {
    const difference = relativeDifference(values, inPlace[i] ?? new Float32Array());
    expect(difference).toBeLessThanOrEqual(mostApart(steps));
  }
}

describe.each(RULES)('%s is what tensor operations give', (name, _, make) => {
  // One element, tails of 3 and 1 beside whole vectors, and more than one workgroup.
  test.each([1, 3, 255, 4097])('%i elements, 50 steps', (size) => expectParity(make, size, 50));

  // Software is slow: 50 steps of a million where it matters most, 5 elsewhere.
  const steps = name === 'adam' ? 50 : 5;
  test(`1,048,576 elements, ${steps} steps`, { timeout: 180_000 }, () =>
    expectParity(make, 1 << 20, steps),
  );

  test('clipped by value and by the norm', async () => {
    await expectParity((options) => make({ clipValue: 0.3, ...options }), 255, 20);
    await expectParity((options) => make({ clipNorm: 0.5, ...options }), 256, 20);
  });
});

test('a schedule of the rate', async () => {
  const learningRate = schedules.warmup({ steps: 5, then: 0.1 });
  await expectParity(() => adam({ learningRate }), 255, 20);
});

test('clipValue limits infinities and keeps NaN; clipNorm makes all of it NaN', async () => {
  const run = async (clip: object) => {
    const weight = variableOf(Float32Array.of(1, 1, 1, 1));
    const optimizer = sgd({ learningRate: 0.5, ...clip });
    const gradient = tf.tensor1d([NaN, Infinity, -Infinity, 0.25]);
    optimizer.applyGradients({ [weight.name]: gradient });
    const values = [...(await weight.data())];
    tf.dispose([weight, gradient]);
    return values;
  };
  expect(await run({ clipValue: 1 })).toEqual([NaN, 0.5, 1.5, 0.875]);
  expect(await run({ clipNorm: 1 })).toEqual(await portably(backend, () => run({ clipNorm: 1 })));
  expect((await run({ clipNorm: 1 }))[3]).toBeNaN();
});
