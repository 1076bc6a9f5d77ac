// A weight whose data another tensor holds: said once, and never without cause.

import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { adam, checkpoint, lookahead, type LookaheadOptions, sgd } from 'slowlane';
import { afterEach, beforeEach, expect, type MockInstance, test, vi } from 'vitest';

import { halfSquare, noise, onEveryEngine } from '../engines.js';

onEveryEngine(() => {
  let warn: MockInstance<typeof console.warn>;
  beforeEach(() => {
    warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  });
  afterEach(() => {
    vi.restoreAllMocks();
    tf.disposeVariables();
  });

  const said = () =>
    warn.mock.calls.map(([text]) => String(text)).filter((text) => text.startsWith('slowlane: '));

  test('tf.variable(tensor): one warning names the weight, its bytes and the remedy', () => {
    const [a, b] = ['a', 'b'].map((name) => tf.variable(tf.ones([32, 32]), true, name)) as [
      tf.Variable,
      tf.Variable,
    ];
    const optimizer = sgd({ learningRate: 0.5 });
    const loss = () => tf.add<tf.Scalar>(halfSquare(a), halfSquare(b));
    for (let i = 0; i < 3; i++) optimizer.minimize(loss, false, [a, b]);
    expect(said()).toHaveLength(1); // not of b, nor in the next steps
    expect(said()[0]).toContain("data of 'a'");
    expect(said()[0]).toContain('4 KiB more'); // 4 · 32²
    expect(said()[0]).toContain('tf.tidy(() => tf.variable(tensor))');
  });

  test('a variable made in a tidy shares nothing: no warning, whatever trains it', async () => {
    const block = (w: tf.Variable) => checkpoint((x: tf.Tensor) => tf.relu(tf.matMul(x, w)));
    const weights = [1, 2].map((seed) => tf.tidy(() => tf.variable(noise([32, 32], seed))));
    const x = noise([4, 32], 3);
    const blocks = weights.map(block);
    const loss = () => tf.mean<tf.Scalar>(blocks.reduce((y, run) => run(y), x));
    for (const gradients of ['keep', 'release'] as const) {
      for (const accumulate of [1, 2]) {
        for (const slow of ['host:f32', 'device:f32'] as const) {
          const options: LookaheadOptions = { slow, syncPeriod: 1 };
          const inner = adam({ gradients, accumulate, moments: 'device:q8' });
          const optimizer = lookahead(inner, options);
          for (let i = 0; i < 4; i++) await optimizer.step(loss);
          optimizer.minimize(loss);
          await optimizer.sync();
          await optimizer.withSlowWeights(() => tf.dispose(loss()));
          optimizer.minimize(loss);
          await optimizer.finish();
          await optimizer.step(loss, false, weights);
          optimizer.dispose();
        }
      }
    }
    expect(said()).toEqual([]);
  });

  test('the weights of a LayersModel in fit(): no warning', async () => {
    const model = tfl.sequential({ layers: [tfl.layers.dense({ units: 300, inputShape: [4] })] });
    const optimizer = lookahead(adam({ gradients: 'release' }), { syncPeriod: 2 });
    model.compile({ optimizer, loss: 'meanSquaredError' });
    const fitted = { epochs: 2, batchSize: 4, verbose: 0, callbacks: optimizer.callbacks() };
    await model.fit(noise([8, 4], 1), noise([8, 300], 2), fitted);
    await optimizer.finish();
    await model.trainOnBatch(noise([8, 4], 1), noise([8, 300], 2));
    expect(said()).toEqual([]);
    optimizer.dispose();
  });
});
