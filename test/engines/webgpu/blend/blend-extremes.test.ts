// A blend of finite values is finite on the device too, whatever they are.

import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';

import { SLOW_FORMATS } from '#src/slow/slow-format.js';

import { blendOf, extremePairs, notFinite, STEP_SIZES } from '../../../extremes.js';
import { describeWebGPU, start } from '../engine.js';

describeWebGPU(() => {
  beforeAll(async () => void (await tf.setBackend('cpu')));

  test.each(SLOW_FORMATS)('%s, α from 0 to 1: finite in, finite out', async (slow) => {
    await start();
    for (const a of STEP_SIZES) {
      for (const shape of [
        [64, 65],
        [65, 67], // not by four
      ]) {
        const pairs = extremePairs(tf.util.sizeFromShape(shape));
        const after = await blendOf(pairs, shape, { slow, slowStepSize: a });
        expect([notFinite(after.fast), notFinite(after.slow)]).toEqual([[], []]);
        if (!slow.endsWith('f32')) continue;
        const wrong = after.fast.flatMap((r, i) => {
          const [s, f] = [pairs.slow[i] as number, pairs.fast[i] as number];
          // A device may take subnormal numbers for 0.
          const most = Math.max(2 ** -22 * Math.max(Math.abs(s), Math.abs(f)), 2 ** -124);
          return Math.abs(r - (s + a * (f - s))) > most ? [[s, f, r]] : [];
        });
        expect(wrong).toEqual([]);
      }
    }
  });
});
