// Peak bytes of the stack of 16 layers (../stack.ts) with Adam in 8 bits and Lookahead.

import { adam, lookahead } from 'slowlane';
import { expect, test } from 'vitest';

import { updateInPlaceOn } from './in-place.js';

import { BufferCount, describeWebGPU, start } from '../engine.js';
import { LEARNING_RATE, PARAMETERS, publishedFor, SIZE, stackOn, SYNC_PERIOD } from '../stack.js';

/** With one sync; kept gradients are all there in the first step already. */
const STEPS = { release: SYNC_PERIOD + 1, keep: 2 };

describeWebGPU(() => {
  const q8 = 2 * PARAMETERS * (1 + 4 / 256);
  test.each([
    { gradients: 'release', moments: 'device:q8', atMost: 7.2, onDevice: q8, onHost: 0 },
    { gradients: 'release', moments: 'host:q8', atMost: 5.2, onDevice: 0, onHost: q8 },
    { gradients: 'release', moments: 'host:f32', atMost: 5.6, onDevice: 0, onHost: 8 * PARAMETERS },
    { gradients: 'keep', moments: 'device:q8', atMost: 11.2, onDevice: q8, onHost: 0 },
    { gradients: 'keep', moments: 'host:q8', atMost: 9.2, onDevice: 0, onHost: q8 },
  ] as const)(
    '$gradients, $moments: at most $atMost bytes a parameter',
    async (given) => {
      const { gradients, moments, atMost, onDevice, onHost } = given;
      const engine = await start();
      const count = new BufferCount(engine.backend.device).withoutHostBuffers(engine.backend);
      const { weights, loss } = await stackOn(engine);
      const inner = adam({ learningRate: LEARNING_RATE, gradients, moments });
      const optimizer = lookahead(inner, { syncPeriod: SYNC_PERIOD });
      const { counts } = updateInPlaceOn(engine.backend);
      const losses: number[] = [];
      for (let step = 1; step <= STEPS[gradients]; step++) {
        const cost = await optimizer.step(loss, true, weights);
        losses.push((await cost?.data<'float32'>())?.[0] ?? NaN);
        cost?.dispose();
        expect(counts).toMatchObject({ dispatches: step * SIZE.layers, copies: 0 }); // one a weight
      }
      const { peakBytes, by, hostBytes } = engine.memory();
      const perParameter = peakBytes / PARAMETERS;
      expect(peakBytes).toBe(count.peakBytes);
      expect(perParameter).toBeLessThanOrEqual(atMost);
      if (gradients === 'release') {
        expect(perParameter).toBeCloseTo(publishedFor(`release+${moments}`), 1);
      }
      expect(by.moments).toBe(onDevice);
      // Moments have buffers to go up from and to come down to; slow weights have four pairs of 256 KiB for that.
      expect(hostBytes).toBe(4 * PARAMETERS + 2 * 4 * 2 ** 18 + 2 * onHost);
      expect(losses.at(-1)).toBeLessThan(losses[0] ?? NaN);
      optimizer.dispose();
      engine.stop();
    },
    600_000,
  );
});
