import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, test } from 'vitest';
import {
  adagrad,
  adam,
  adamw,
  lion,
  momentum,
  rmsprop,
  schedules,
  sgd,
} from '#src/optimizers/index.js';
import { Adam } from '#src/optimizers/rules/adam.js';
import { noise, onEveryEngine, valuesOf } from '../engines.js';

const warm = schedules.warmup({
  steps: 2,
  then: schedules.cosine({ initial: 0.05, decaySteps: 20, final: 0.01 }),
});

const ALL: [string, () => tf.Optimizer][] = [
  ['sgd', () => sgd({ learningRate: 0.05 })],
  ['momentum', () => momentum({ learningRate: 0.05, nesterov: true })],
  ['rmsprop', () => rmsprop({ learningRate: 0.01, momentum: 0.5, centered: true })],
  ['adagrad', () => adagrad({ learningRate: 0.05, clipValue: 0.5 })],
  ['adam', () => adam({ learningRate: warm, clipNorm: 1 })],
  ['adamw', () => adamw({ learningRate: schedules.step({ initial: 0.1, every: 5, factor: 0.5 }) })],
  ['lion', () => lion({ learningRate: 0.01, weightDecay: 0.1 })],
];

onEveryEngine(() => {
  test.each(ALL)(
    '%s: fit, save with the optimizer, load, and go on bit for bit',
    async (_, make) => {
      const { xs, ys } = data();
      const model = mlp(1);
      compile(model, make());
      const first = await model.fit(xs, ys, QUIET);
      const before = tf.memory().numTensors;
      const artifacts = await saved(model);
      expect(tf.memory().numTensors).toBe(before);

      const loaded = await tfl.loadLayersModel(tf.io.fromMemory(artifacts));
      expect(loaded.optimizer).not.toBe(model.optimizer);
      expect(loaded.optimizer.getClassName()).toBe(model.optimizer.getClassName());
      expect(loaded.optimizer.getConfig()).toEqual(model.optimizer.getConfig());
      expect(loaded.optimizer.iterations).toBe(model.optimizer.iterations);
      const second = await model.fit(xs, ys, QUIET);
      const third = await loaded.fit(xs, ys, QUIET);
      expect(weightsOf(loaded)).toEqual(weightsOf(model));
      expect(third.history).toEqual(second.history);
      expect(second.history['loss']?.at(-1)).toBeLessThan(Number(first.history['loss']?.[0]));
      for (const each of [model, loaded]) {
        each.optimizer.dispose();
        each.dispose();
      }
      tf.dispose([xs, ys]);
      tf.disposeVariables();
    },
  );

  test('fitDataset trains, leaks nothing, and equals fit', async () => {
    const { xs, ys } = data();
    const inFit = mlp(1);
    compile(inFit, adam({ learningRate: 0.01 }));
    const inDataset = mlp(1);
    compile(inDataset, adam({ learningRate: 0.01 }));
    await inFit.fit(xs, ys, { ...QUIET, epochs: 1 });
    await inDataset.fitDataset(batches(xs, ys) as never, { epochs: 1 });
    expect(weightsOf(inDataset)).toEqual(weightsOf(inFit));
    const before = tf.memory().numTensors;
    await inDataset.fitDataset(batches(xs, ys) as never, { epochs: 2 });
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose([xs, ys]);
    tf.disposeVariables();
  });

  test('a layer frozen and unfrozen keeps its own state', async () => {
    const { xs, ys } = data();
    const model = mlp(1);
    const optimizer = momentum({ learningRate: 0.05 });
    compile(model, optimizer);
    await model.fit(xs, ys, { ...QUIET, epochs: 1 });
    const frozen = model.layers[0] as tfl.layers.Layer;
    const slotOf = () =>
      optimizer
        .state()
        .filter(({ weight }) => weight.shape[0] === 4)
        .map(({ variable }) => valuesOf(variable));
    const kernelOf = (layer: number) => valuesOf(model.layers[layer]?.getWeights()[0] as tf.Tensor);
    const [kernels, slot] = [[kernelOf(0), kernelOf(1)], slotOf()];
    frozen.trainable = false;
    compile(model, optimizer);
    await model.fit(xs, ys, { ...QUIET, epochs: 1 });
    expect(kernelOf(0)).toEqual(kernels[0]);
    expect(kernelOf(1)).not.toEqual(kernels[1]);
    expect(slotOf()).toEqual(slot);
    frozen.trainable = true;
    compile(model, optimizer);
    await model.fit(xs, ys, { ...QUIET, epochs: 1 });
    expect(kernelOf(0)).not.toEqual(kernels[0]);
    expect(optimizer.state()).toHaveLength(4);
    tf.dispose([xs, ys]);
    tf.disposeVariables();
  });
});

test('fromConfig gives an equal optimizer, without what TensorFlow.js adds', () => {
  const config = adam({ learningRate: warm, clipNorm: 1, beta1: 0.5 }).getConfig();
  const text = JSON.stringify(config);
  const again = Adam.fromConfig(Adam, {
    ...(JSON.parse(text) as typeof config),
    customObjects: {},
  });
  expect(JSON.stringify(again.getConfig())).toBe(text);
  expect(again.getClassName()).toBe('SlowlaneAdam');
});

const QUIET = { epochs: 3, batchSize: 4, shuffle: false, verbose: 0 } as const;

function compile(model: tfl.LayersModel, optimizer: tf.Optimizer): void {
  model.compile({ optimizer, loss: 'meanSquaredError' });
}

function mlp(seed: number): tfl.Sequential {
  const kernelInitializer = () => tfl.initializers.glorotNormal({ seed });
  return tfl.sequential({
    layers: [
      tfl.layers.dense({
        units: 5,
        inputShape: [4],
        activation: 'tanh',
        kernelInitializer: kernelInitializer(),
      }),
      tfl.layers.dense({ units: 2, kernelInitializer: kernelInitializer() }),
    ],
  });
}

function data(): { xs: tf.Tensor; ys: tf.Tensor } {
  return { xs: noise([12, 4], 3), ys: noise([12, 2], 4) };
}

/** What fitDataset needs of a tf.data.Dataset. */
function batches(xs: tf.Tensor, ys: tf.Tensor): object {
  return {
    size: 3,
    iterator: async () => {
      let i = 0;
      return {
        next: async () => {
          if (i === 12) return { value: null, done: true };
          const value = { xs: tf.slice(xs, [i, 0], [4, 4]), ys: tf.slice(ys, [i, 0], [4, 2]) };
          i += 4;
          return { value, done: false };
        },
      };
    },
  };
}

function weightsOf(model: tfl.LayersModel): number[][] {
  return model.getWeights().map(valuesOf);
}

/** What a file would hold: everything but the bytes has gone through JSON. */
async function saved(model: tfl.LayersModel): Promise<tf.io.ModelArtifacts> {
  let artifacts: tf.io.ModelArtifacts = {};
  const keep = tf.io.withSaveHandler(async (given) => {
    const { weightData, ...rest } = given;
    artifacts = {
      ...(JSON.parse(JSON.stringify(rest)) as typeof rest),
      weightData: weightData as ArrayBuffer,
    };
    return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
  });
  await model.save(keep, { includeOptimizer: true });
  return artifacts;
}
