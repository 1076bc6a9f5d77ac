// Lookahead around an optimizer that takes micro-batches: what counts as a step, and what a half step leaves.

import * as tf from '@tensorflow/tfjs-core';
import { adam, adaptive, lookahead, momentum, sgd } from 'slowlane';
import { expect, test } from 'vitest';

import { halfSquare, noise, onEveryEngine, valuesOf } from '../engines.js';

const weightOf = () => tf.tidy(() => tf.variable(noise([16], 1)));

onEveryEngine(() => {
  test('a Lookahead counts steps, not micro-batches, and completes them', async () => {
    const weight = weightOf();
    const optimizer = lookahead(momentum({ accumulate: 2 }), { syncPeriod: 2 });
    const take = () => optimizer.step(() => halfSquare(weight), false, [weight]);
    for (let i = 0; i < 5; i++) await take();
    expect([optimizer.stats().steps, optimizer.stats().syncs]).toEqual([2, 1]);
    expect(optimizer.isAccumulating).toBe(true);
    await expect(optimizer.getWeights()).rejects.toMatchObject({ code: 'STEP_OPEN' });
    expect(optimizer.completeStep()).toBe(true);
    expect(optimizer.iterations).toBe(3);
    await optimizer.getWeights();
    optimizer.dispose();
    weight.dispose();
  });

  test('discard() and resync() give up the micro-batches of a half step', async () => {
    for (const call of ['discard', 'resync'] as const) {
      const [weight, same] = [weightOf(), weightOf()];
      const [optimizer, other] = [sgd, sgd].map((make) => lookahead(make({ accumulate: 2 })));
      await optimizer?.attach([weight]);
      await optimizer?.step(() => tf.mul(halfSquare(weight), NaN), false, [weight]);
      expect(optimizer?.isAccumulating).toBe(true);
      await optimizer?.[call]();
      expect(optimizer?.isAccumulating).toBe(false);
      for (let i = 0; i < 2; i++) {
        await optimizer?.step(() => halfSquare(weight), false, [weight]);
        await other?.step(() => halfSquare(same), false, [same]);
      }
      expect(valuesOf(weight)).toEqual(valuesOf(same));
      for (const one of [optimizer, other]) one?.dispose();
      tf.dispose([weight, same]);
    }
  });

  test('adaptive(): a half step that ends a cycle is not completed without its gradient', async () => {
    const weight = weightOf();
    const optimizer = lookahead(adam({ accumulate: 2 }), {
      syncPeriod: 2,
      slowStepSize: adaptive(),
    });
    const take = () => optimizer.step(() => halfSquare(weight), false, [weight]);
    await take();
    expect(optimizer.completeStep()).toBe(true); // in mid-cycle
    await take();
    const before = valuesOf(weight);
    expect(() => optimizer.completeStep()).toThrow(
      expect.objectContaining({
        code: 'NO_GRADIENT',
        message: expect.stringMatching(/completeStep\(\) would end a cycle.*discard\(\)/) as string,
      }),
    );
    expect(valuesOf(weight)).toEqual(before);
    await take(); // nothing is lost
    expect(optimizer.stats()).toMatchObject({ steps: 2, syncs: 1 });
    expect(optimizer.completeStep()).toBe(false);
    optimizer.dispose();
    weight.dispose();
  });
});
