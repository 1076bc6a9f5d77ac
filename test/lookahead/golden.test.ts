// The numbers of the specification (golden.json), on every engine.

import * as tf from '@tensorflow/tfjs-core';
import { adam, type Lookahead, type LookaheadOptions, lookahead, momentum, sgd } from 'slowlane';
import { beforeEach, describe, expect, test } from 'vitest';

import golden from '../golden.json' with { type: 'json' };
import { halfSquare, onEveryEngine } from '../engines.js';
import { describeWebGPU, start } from '../engines/webgpu/engine.js';

const { constantGradient, quadratic } = golden;

type Loss = (x: tf.Variable) => tf.Scalar;

/** The values of one number under `optimizer`, after each of `steps` steps. */
async function trajectory(
  optimizer: Lookahead,
  x0: number,
  loss: Loss,
  steps: number,
): Promise<number[]> {
  const x = tf.variable(tf.scalar(x0));
  const values: number[] = [];
  for (let i = 0; i < steps; i++) {
    await optimizer.step(() => loss(x), false, [x]);
    values.push(...(await x.data()));
  }
  optimizer.dispose();
  x.dispose();
  return values;
}

function expectClose(values: readonly number[], expected: readonly number[]): void {
  expect(values).toHaveLength(expected.length);
  values.forEach((value, i) => {
    expect(Math.abs(value - (expected[i] as number)), `step ${i + 1}`).toBeLessThan(1e-5);
  });
}

onEveryEngine(goldenRows);
describeWebGPU(() => {
  beforeEach(async () => void (await start()));
  goldenRows();
});

function goldenRows(): void {
  describe('a constant gradient of 1, learning rate 1, from 10, k = 3', () => {
    const { x0, syncPeriod, learningRate } = constantGradient;
    const run = (slowStepSize: number) =>
      trajectory(
        lookahead(sgd({ learningRate }), { syncPeriod, slowStepSize }),
        x0,
        (x) => tf.mul<tf.Scalar>(x, 1),
        9,
      );

    test('α = 0.5: 9 8 (7 → 8.5) 7.5 6.5 (5.5 → 7) 6 5 (4 → 5.5), exactly', async () => {
      expect(await run(0.5)).toEqual(constantGradient['alpha0.5']);
    });

    test('α = 0.25 tells α from 1 − α: 9 8 (7 → 9.25) …, exactly', async () => {
      expect(await run(0.25)).toEqual(constantGradient['alpha0.25']);
    });
  });

  test('a reader can redo it: gradient 2, rate 0.5, α = 1/3: 3 → 2 → 1 → (0 → 2) → 1 → 0 → (−1 → 1)', async () => {
    const { x0, gradient, learningRate, syncPeriod, slowStepSize, values } = golden.thirds;
    const optimizer = lookahead(sgd({ learningRate }), { syncPeriod, slowStepSize });
    const loss: Loss = (x) => tf.mul<tf.Scalar>(x, gradient);
    expectClose(await trajectory(optimizer, x0, loss, values.length), values);
  });

  describe('½x² from 1, learning rate 0.1, k = 5, α = 0.5, three cycles', () => {
    const inners: Record<string, () => tf.Optimizer> = {
      'sgd()': () => sgd({ learningRate: 0.1 }),
      'tf.train.sgd': () => tf.train.sgd(0.1),
      'momentum()': () => momentum({ learningRate: 0.1, momentum: 0.9 }),
      'tf.train.momentum': () => tf.train.momentum(0.1, 0.9),
      'adam()': () => adam({ learningRate: 0.1 }),
      'tf.train.adam': () => tf.train.adam(0.1),
    };
    const cases: [string, NonNullable<LookaheadOptions['innerState']>, readonly number[]][] = [
      ['sgd()', 'maintain', quadratic.sgd],
      ['tf.train.sgd', 'maintain', quadratic.sgd],
      ...(['momentum()', 'tf.train.momentum'] as const).flatMap((name) =>
        (['maintain', 'interpolate', 'reset'] as const).map(
          (state): [string, typeof state, readonly number[]] => [
            name,
            state,
            quadratic.momentum[state],
          ],
        ),
      ),
      ...(['adam()', 'tf.train.adam'] as const).flatMap((name) =>
        (['maintain', 'reset'] as const).map((state): [string, typeof state, readonly number[]] => [
          name,
          state,
          quadratic.adam[state],
        ]),
      ),
    ];

    test.each(cases)('%s, %s', async (name, innerState, expected) => {
      const inner = (inners[name] as () => tf.Optimizer)();
      const values = await trajectory(
        lookahead(inner, { innerState }),
        1,
        halfSquare,
        expected.length,
      );
      expectClose(values, expected);
    });
  });
}
