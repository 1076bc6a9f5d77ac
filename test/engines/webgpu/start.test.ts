import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test, vi } from 'vitest';

import { startWebGPU } from '#src/engines/webgpu/index.js';

import { describeWebGPU, errorOf, start } from './engine.js';

describeWebGPU(() => {
  test('warns once, loudly, where the only adapter is a software one', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    const first = await startWebGPU();
    first.stop();
    const second = await startWebGPU();
    second.stop();
    expect(warn.mock.calls).toEqual([
      [expect.stringMatching(/swiftshader.* is a software adapter/)],
    ]);
  });

  test('is tfjs’s backend afterwards, and says what it runs on', async () => {
    const engine = await start({ vramBudget: '64MiB' });
    expect(tf.getBackend()).toBe('slowlane-webgpu');
    expect(engine.adapter).toEqual({
      name: expect.stringMatching(/^google swiftshader/),
      software: true,
    });
    expect(engine.budgetBytes).toBe(64 * 2 ** 20);
    expect(engine.limits.maxStorageBufferBindingSize).toBeGreaterThan(2 ** 27);
    expect(await tf.add([1, 2], [3, 4]).data()).toEqual(Float32Array.of(4, 6));
  });

  test('takes a part of the adapter’s name in any case, in Dawn’s spelling too', async () => {
    for (const adapter of ['SwiftShader', 'GOOGLE swift', '(subzero)']) {
      const engine = await start({ adapter });
      expect(engine.adapter.name).toContain('swiftshader');
      engine.stop();
    }
  });

  test('lists the adapters where none has the name', async () => {
    const error = await errorOf(() => start({ adapter: 'RTX 9090' }));
    expect(error).toMatchObject({ name: 'SlowlaneError', code: 'UNSUPPORTED' });
    expect(String(error)).toMatch(/'RTX 9090'.*There is: 'google swiftshader.*SwiftShader Device/);
  });

  test('stop() gives the backend of before back', async () => {
    await tf.setBackend('cpu');
    const { stop } = await start();
    expect(tf.getBackend()).toBe('slowlane-webgpu');
    stop();
    expect(tf.getBackend()).toBe('cpu');
    expect(tf.add(1, 2).dataSync()).toEqual(Float32Array.of(3));
  });

  test('reading at once, which Node cannot do, says what can be done', async () => {
    await start();
    const x = tf.square(tf.tensor1d([1, 2, 3]));
    expect(() => x.dataSync()).toThrow(
      /cannot read a tensor synchronously.*await tensor\.data\(\)/,
    );
    expect([...(await x.data())]).toEqual([1, 4, 9]);
  });

  test('of two starts at once the second is refused', async () => {
    const [first, second] = await Promise.allSettled([start(), startWebGPU()]);
    expect([first.status, second.status]).toEqual(['fulfilled', 'rejected']);
    expect(second).toMatchObject({ reason: { code: 'WRONG_STATE' } });
  });

  test('refuses a second start until the first is stopped, and starts afresh then', async () => {
    const engine = await start();
    await expect(startWebGPU()).rejects.toThrow(/running already.*stop\(\)/);
    engine.stop();
    expect(tf.findBackend('slowlane-webgpu')).toBeNull();
    const next = await start();
    engine.stop(); // of the old one: does nothing
    expect(tf.backend()).toBe(next.backend);
    expect(await tf.square([3]).data()).toEqual(Float32Array.of(9));
  });

  test.each([
    [{ vramBudget: '2 giraffes' }, /vramBudget must be a size with its unit.*"2 giraffes"/],
    [{ vramBudget: '2' }, /Add the unit/],
    [{ vramBudget: 0 }, /vramBudget must be .*≥ 1, got 0/],
    [{ adapter: '' }, /adapter must be part of an adapter's name, got ""/],
    [{ powerPreference: 'high' }, /'high-performance' or 'low-power', got "high"/],
    [{ budget: '2GiB' }, /startWebGPU\(\) has no option 'budget'/],
  ])('refuses %j', async (options, message) => {
    await expect(startWebGPU(options as never)).rejects.toThrow(message);
  });

  test('says what to install where the package webgpu is missing', async () => {
    vi.resetModules(); // the package was loaded by the tests above
    vi.doMock('webgpu', () => {
      throw new Error('Cannot find package');
    });
    try {
      const error = await errorOf(async () => {
        const fresh = await import('#src/engines/webgpu/index.js');
        await fresh.startWebGPU();
      });
      expect(error).toMatchObject({
        name: 'SlowlaneError',
        code: 'PACKAGE_MISSING',
        details: { package: 'webgpu' },
      });
      expect(String(error)).toContain('npm install webgpu');
    } finally {
      vi.doUnmock('webgpu');
    }
  });
});
