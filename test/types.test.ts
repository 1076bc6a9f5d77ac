// What TypeScript accepts, and what it does not. `npm run typecheck` proves it; the test runs it.

import type * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {
  adam,
  adaptive,
  type Lookahead,
  lookahead,
  type LookaheadOptions,
  schedules,
} from 'slowlane';
import { expectTypeOf, test } from 'vitest';

import { onEveryEngine } from './engines.js';

onEveryEngine(() => {
  test('a Lookahead is an Optimizer for TypeScript and for model.compile', () => {
    const optimizer = lookahead(adam());
    expectTypeOf(optimizer).toExtend<tf.Optimizer>();
    expectTypeOf(optimizer).toEqualTypeOf<Lookahead>();
    const model = tfl.sequential({ layers: [tfl.layers.dense({ units: 1, inputShape: [1] })] });
    model.compile({ optimizer, loss: 'meanSquaredError' });
    expectTypeOf<Lookahead['step']>().returns.resolves.toEqualTypeOf<tf.Scalar | null>();
    expectTypeOf(optimizer.withSlowWeights(() => 5)).resolves.toBeNumber();
    expectTypeOf(optimizer.withSlowWeights(async () => 'a')).resolves.toBeString();
  });

  test('options are typed', () => {
    expectTypeOf<LookaheadOptions['slow']>().toEqualTypeOf<
      'host:f32' | 'host:f16r8' | 'host:f16' | 'host:bf16' | 'host:int8' | 'device:f32' | undefined
    >();
    lookahead(adam({ learningRate: schedules.warmup({ steps: 10, then: 1e-3 }) }), {
      slowStepSize: adaptive({ min: 0.2 }),
      overrides: [
        { weights: /bias/, slowStepSize: 1 },
        { weights: 'embedding', slow: 'host:int8' },
        { weights: (weight) => weight.rank === 0, exclude: true },
      ],
    });
    // @ts-expect-error: proves that a misspelt option does not compile
    const wrongName = () => lookahead(adam(), { syncperiod: 5 });
    // @ts-expect-error: proves that an unknown choice does not compile
    const wrongChoice = () => lookahead(adam(), { innerState: 'keep' });
    const wrongOverride = () =>
      // @ts-expect-error: proves that adaptive() for some weights does not compile, it is one number for all
      lookahead(adam(), { overrides: [{ weights: 'a', slowStepSize: adaptive() }] });
    expectTypeOf([wrongName, wrongChoice, wrongOverride]).toBeArray();
  });
});
