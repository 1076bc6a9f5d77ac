// `callbacks()` takes the caller's own callbacks, because TensorFlow.js cannot mix instances with plain objects.
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { adam, type FitCallbacks, type GivenCallback, lookahead, sgd } from 'slowlane';
import { expect, test } from 'vitest';

interface Trainer extends tf.Optimizer {
  callbacks(...more: readonly GivenCallback[]): FitCallbacks;
}
const TRAINERS: [string, () => Trainer][] = [
  ['adam', () => adam()],
  ['lookahead', () => lookahead(sgd(), { syncPeriod: 2, workers: 0 })],
];

class Counting extends tfl.Callback {
  batches = 0;
  override async onBatchEnd(): Promise<void> {
    this.batches += 1;
  }
}

/** 3 epochs of 4 batches. */
async function fitted(optimizer: Trainer, callbacks: FitCallbacks): Promise<tfl.History> {
  const model = tfl.sequential({ layers: [tfl.layers.dense({ units: 1, inputShape: [2] })] });
  model.compile({ optimizer, loss: 'meanSquaredError' });
  const [x, y] = [tf.ones([16, 2]), tf.ones([16, 1])];
  const history = await model.fit(x, y, { epochs: 3, batchSize: 4, verbose: 0, callbacks });
  optimizer.dispose();
  tf.dispose([x, y]);
  model.dispose();
  return history;
}

test.each(TRAINERS)('%s: instances and plain objects, in any order', async (_, make) => {
  const optimizer = make();
  const instance = new Counting();
  const losses: unknown[] = [];
  const stopping = tfl.callbacks.earlyStopping({ monitor: 'loss', patience: 9 });
  const plain = {
    sum: 0,
    onBatchEnd() {
      this.sum += 1; // TensorFlow.js would call it without the object
    },
  };
  const onEpochEnd = (epoch: number, logs?: object) => {
    losses.push([epoch, logs !== undefined && 'loss' in logs && typeof logs.loss]);
  };
  await fitted(optimizer, optimizer.callbacks({ onEpochEnd }, instance, plain, stopping));
  const number = 'number';
  expect(losses).toEqual([0, 1, 2].map((epoch) => [epoch, number]));
  expect(instance.batches).toBe(12);
  expect(plain.sum).toBe(12);
});

test('a callback of the caller sees the sync done: ours are called first', async () => {
  const optimizer = lookahead(sgd(), { syncPeriod: 1, workers: 0 });
  const due: boolean[] = [];
  await fitted(optimizer, optimizer.callbacks({ onBatchEnd: () => void due.push(optimizer.due) }));
  expect(due).toEqual(Array.from({ length: 12 }, () => false));
});

test.each(TRAINERS)('%s: anything else than a callback is refused when it is given', (_, make) => {
  const optimizer = make();
  const give = (value: unknown) => () => optimizer.callbacks(value as GivenCallback);
  expect(give({ onEpochEnds: () => {} })).toThrow(
    /takes callbacks, each a tf.Callback or an object/,
  );
  expect(give({ onBatchEnd: () => {}, onEpochEnds: () => {} })).toThrow(
    "there is no hook 'onEpochEnds'. Did you mean 'onEpochEnd'?",
  );
  expect(give({ onEpochEnd: 3 })).toThrow('onEpochEnd must be a function, got 3.');
  expect(give([{ onEpochEnd: () => {} }])).toThrow(TypeError);
  for (const value of ['onEpochEnd', null, undefined, () => {}])
    expect(give(value)).toThrow(TypeError);
  optimizer.dispose();
});

test('adam: its flush() is awaited after each batch', async () => {
  const optimizer = adam();
  let flushed = 0;
  optimizer.flush = () => Promise.resolve(void (flushed += 1));
  await fitted(optimizer, optimizer.callbacks());
  expect(flushed).toBeGreaterThanOrEqual(12);
});
