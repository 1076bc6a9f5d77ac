// Peak bytes of the stack of 16 layers (../webgpu/stack.ts) with Adam in 8 bits and Lookahead.

import { adam, lookahead } from 'slowlane';
import { expect, test } from 'vitest';

import { updateInPlaceOn } from '#src/device/webgpu/update-in-place.js';

import { BufferCount, describeWebGPU, start } from '../webgpu/engine.js';
import { LAYERS, LEARNING_RATE, PARAMETERS, Stack, SYNC_PERIOD } from '../webgpu/stack.js';

const STEPS = SYNC_PERIOD + 1;

describeWebGPU(() => {
  test('gradients released, moments in 8 bits: at most 7.2 bytes a parameter', async () => {
    const engine = await start();
    const count = new BufferCount(engine.backend.device).withoutHostBuffers(engine.backend);
    const stack = new Stack();
    const moments = 'device:q8';
    const inner = adam({ learningRate: LEARNING_RATE, gradients: 'release', moments });
    const optimizer = lookahead(inner, { syncPeriod: SYNC_PERIOD });
    const { counts } = updateInPlaceOn(engine.backend);
    const losses: number[] = [];
    for (let step = 1; step <= STEPS; step++) {
      const cost = await optimizer.step(stack.loss, true, stack.weights);
      losses.push((await cost?.data<'float32'>())?.[0] ?? NaN);
      cost?.dispose();
      expect(counts).toMatchObject({ dispatches: step * LAYERS, copies: 0 }); // one a weight
    }
    const { peakBytes, by } = engine.memory();
    const perParameter = peakBytes / PARAMETERS;
    console.info(`release, device:q8: ${perParameter.toFixed(2)} bytes a parameter`);
    expect(peakBytes).toBe(count.peakBytes);
    expect(perParameter).toBeLessThanOrEqual(7.2);
    expect(by.moments).toBe(2 * PARAMETERS * (1 + 4 / 256));
    expect(losses.at(-1)).toBeLessThan(losses[0] ?? NaN);
    optimizer.dispose();
    stack.dispose();
    engine.stop();
  }, 600_000);
});
