// After the loss of a device: the engine is started again, and training goes on.

import * as tf from '@tensorflow/tfjs-core';
import { adam, loadTraining, lookahead, saveTraining, sgd, type SlowWeight } from 'slowlane';
import { startWebGPU } from 'slowlane/webgpu';
import { expect, test } from 'vitest';

import { halfSquare, noise, read } from '../../engines.js';
import { describeWebGPU, start } from './engine.js';

describeWebGPU(() => {
  test('started again: a state that was saved before goes into the same Lookahead', async () => {
    const { backend } = await start();
    const make = () => [tf.tidy(() => tf.variable(noise([65, 65], 1)))];
    const weights = make();
    const optimizer = lookahead(adam(), { syncPeriod: 2 });
    const slowValues = async () => (await optimizer.slowWeights()).map(({ values }) => values);
    const step = ([weight]: tf.Variable[]) =>
      optimizer.step(() => halfSquare(weight as tf.Variable), false, [weight as tf.Variable]);
    for (let i = 0; i < 3; i++) await step(weights);
    const bytes = await saveTraining(optimizer, weights);
    const before = await slowValues();
    const fast = await read(weights[0] as tf.Variable);
    backend.device.destroy();
    const again = await startWebGPU();
    const remade = make();
    await loadTraining(bytes, optimizer, remade);
    expect(await read(remade[0] as tf.Variable)).toEqual(fast);
    expect(await slowValues()).toEqual(before);
    await step(remade); // ends the cycle
    expect(optimizer.stats()).toMatchObject({ steps: 4, syncs: 2 });
    expect(backend.hostBuffers.bytes).toBe(0);
    optimizer.dispose();
    again.stop();
  });

  test('started again, without stop(): training goes on from the last sync, with the losses of a run that was not lost', async () => {
    const make = (values?: readonly SlowWeight[]) => {
      const weights = [
        tf.tidy(() => tf.variable(noise([40, 120], 1))),
        tf.tidy(() => tf.variable(noise([120], 2))),
      ];
      values?.forEach(({ values: those, shape }, i) =>
        tf.tidy(() => weights[i]?.assign(tf.tensor(those, shape))),
      );
      const optimizer = lookahead(sgd({ learningRate: 0.1 }), { syncPeriod: 2 });
      const loss = async () => {
        const [a, b] = weights as [tf.Variable, tf.Variable];
        const f = () => tf.mean(tf.square(tf.add(a, tf.sin(b)))) as tf.Scalar;
        const cost = (await optimizer.step(f, true, weights)) as tf.Scalar;
        const [value] = await read(cost);
        cost.dispose();
        return value;
      };
      return { weights, optimizer, loss };
    };
    const { backend } = await start();
    const whole = make();
    const expected: unknown[] = [];
    for (let i = 0; i < 8; i++) expected.push(await whole.loss());
    whole.optimizer.dispose();

    const first = make();
    for (let i = 0; i < 5; i++) await first.loss(); // syncs after steps 2 and 4
    backend.device.destroy();
    const slow = await first.optimizer.slowWeights();
    first.optimizer.dispose();
    const again = await startWebGPU();
    const second = make(slow);
    const losses: unknown[] = [];
    for (let i = 4; i < 8; i++) losses.push(await second.loss());
    expect(losses).toEqual(expected.slice(4));
    second.optimizer.dispose();
    again.stop();
  });
});
