// Whatever the shapes, the chunk size, the periods and who blends: the same bits.

import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { lookahead, type LookaheadOptions, momentum } from 'slowlane';
import { expect, test, vi } from 'vitest';

import { noise, onEveryEngine, valuesOf } from '../engines.js';

onEveryEngine(() => {
  const train = async (shapes: number[][], options: LookaheadOptions, steps: number) => {
    const weights = shapes.map((shape, i) => tf.variable(noise(shape, i + 1)));
    const optimizer = lookahead(momentum({ learningRate: 0.05, momentum: 0.9 }), options);
    const loss = () => tf.addN(weights.map((w) => tf.sum(tf.square(w)))) as tf.Scalar;
    for (let i = 0; i < steps; i++) await optimizer.step(loss, false, weights);
    const values = weights.map(valuesOf);
    await optimizer.finish();
    optimizer.dispose();
    tf.dispose(weights);
    return values;
  };

  test('chunk size and worker count do not matter, to the bit', async () => {
    const shape = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 0, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(shape, { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 4 }),
        fc.constantFrom(0, 1 / 3, 0.5, 0.8, 1),
        fc.constantFrom('maintain' as const, 'interpolate' as const, 'reset' as const),
        async (shapes, chunkElements, syncPeriod, slowStepSize, innerState) => {
          const options = { syncPeriod, slowStepSize, innerState };
          const steps = 2 * syncPeriod + 1;
          const whole = await train(shapes, { ...options, workers: 0 }, steps);
          const cut = { ...options, workers: 0, chunkBytes: 4 * chunkElements };
          expect(await train(shapes, cut, steps)).toEqual(whole);
        },
      ),
      { numRuns: 40 },
    );
  });

  test('without shared memory the blend runs inline, with the same bits', async () => {
    const shapes = [[50, 40], [3000]];
    const options = { syncPeriod: 2, slowStepSize: 0.3, chunkBytes: 4096 };
    const expected = await train(shapes, { ...options, workers: 2 }, 6);
    vi.stubGlobal('SharedArrayBuffer', undefined);
    try {
      expect(await train(shapes, { ...options, workers: 2 }, 6)).toEqual(expected);
    } finally {
      vi.unstubAllGlobals();
    }
  });

  test.each([1, 2, 3])('%i workers give the bits of the inline blend', async (workers) => {
    const shapes = [[50, 40], [40], [3000], [], [7, 7]];
    const options = { syncPeriod: 2, slowStepSize: 0.3, chunkBytes: 4096 };
    const inline = await train(shapes, { ...options, workers: 0 }, 6);
    expect(await train(shapes, { ...options, workers }, 6)).toEqual(inline);
  });
});
