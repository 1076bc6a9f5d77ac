// Moments on the host that are saved, restored and disposed while they are away.

import * as tf from '@tensorflow/tfjs-core';
import { adam, momentum } from 'slowlane';
import { expect, test, vi } from 'vitest';

import { halfSquare, read } from '../../../engines.js';
import { describeWebGPU, errorOf, start, variable } from '../engine.js';

describeWebGPU(() => {
  test('a state asked for before dispose() is refused, not empty', async () => {
    const engine = await start();
    const weight = variable([72, 72], 1);
    const optimizer = adam({ moments: 'host:f32' });
    optimizer.minimize(() => halfSquare(weight), false, [weight]);
    const saved = optimizer.getWeights();
    optimizer.dispose();
    await expect(saved).rejects.toMatchObject({ code: 'DISPOSED' });
    expect(engine.memory().hostBytes).toBe(0);
  });

  test('a state is not saved after a micro-batch that came while it waited', async () => {
    await start();
    const weight = variable([72, 72], 1);
    const optimizer = adam({ moments: 'host:f32', accumulate: 2 });
    const take = () => optimizer.minimize(() => halfSquare(weight), false, [weight]);
    take();
    await optimizer.flush();
    take();
    const settled = optimizer.flush();
    const saved = errorOf(() => optimizer.getWeights());
    await settled;
    take();
    expect(await saved).toMatchObject({ code: 'STEP_OPEN' });
    await optimizer.flush();
    optimizer.completeStep();
    expect((await optimizer.getWeights()).length).toBe(3);
  });

  test('a restore that fails because of the step before it leaves nothing behind', async () => {
    await start();
    const weight = variable([72, 72], 1);
    const optimizer = adam({ moments: 'host:f32' });
    optimizer.minimize(() => halfSquare(weight), false, [weight]);
    const saved = await optimizer.getWeights();
    const tensors = tf.memory().numTensors;
    vi.spyOn(optimizer, 'flush').mockRejectedValueOnce(new Error('the device failed'));
    await expect(optimizer.setWeights(saved)).rejects.toThrow('the device failed');
    expect(tf.memory().numTensors).toBe(tensors);
    await optimizer.setWeights(saved);
  });

  test('a last micro-batch whose moments find no room loses no gradient', async () => {
    const engine = await start();
    const { backend } = engine;
    const [weight, same] = [variable([72, 72], 1), variable([72, 72], 1)];
    const [failing, other] = [0, 1].map(() => momentum({ moments: 'host:q8', accumulate: 2 }));
    const take = async (optimizer: typeof failing, trained: tf.Variable) => {
      optimizer?.minimize(() => halfSquare(trained), false, [trained]);
      await optimizer?.flush();
    };
    await take(failing, weight);
    const tensors = tf.memory().numTensors;
    const make = backend.makeTensorInfo.bind(backend);
    backend.makeTensorInfo = (shape, dtype, values) => {
      if (dtype === 'int32' && shape[1] === 64) throw new Error('no room'); // the words of a slot
      return make(shape, dtype, values);
    };
    await expect(take(failing, weight)).rejects.toThrow('no room');
    backend.makeTensorInfo = make;
    expect(tf.memory().numTensors).toBe(tensors);
    expect(failing?.isAccumulating).toBe(true);
    await take(failing, weight);
    for (let i = 0; i < 2; i++) await take(other, same);
    expect(await read(weight)).toEqual(await read(same));
    for (const optimizer of [failing, other]) optimizer?.dispose();
    expect(engine.memory().hostBytes).toBe(0);
  });

  test('a loss that takes a step or disposes the optimizer is told so', async () => {
    const engine = await start();
    const weight = variable([72, 72], 1);
    for (const gradients of ['keep', 'release'] as const) {
      const tensors = tf.memory().numTensors;
      const optimizer = adam({ moments: 'host:f32', gradients });
      const minimize = (before: () => void) =>
        optimizer.minimize(
          () => {
            before();
            return halfSquare(weight);
          },
          false,
          [weight],
        );
      const steps = () => minimize(() => minimize(() => undefined));
      expect(steps).toThrow(expect.objectContaining({ code: 'OFFLOAD_PENDING' }));
      await optimizer.flush();
      expect(optimizer.iterations).toBe(1);
      const disposes = () => minimize(() => optimizer.dispose());
      expect(disposes).toThrow(expect.objectContaining({ code: 'DISPOSED' }));
      expect(tf.memory().numTensors).toBe(tensors);
      expect(engine.memory().hostBytes).toBe(0);
    }
  });
});
