// Model, optimizer and loop: everything needed to train with slowlane. Knows nothing of the page.

import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { adam, lookahead, type LookaheadStats } from 'slowlane';
import { type DeviceMemory, startWebGPU, type WebGPUEngine } from 'slowlane/webgpu';

import type { Control } from './control.js';
import { type Digits, type Mnist, shuffledBatches } from './mnist.js';
import type { Settings } from './settings.js';

/** A run so far. Its lists grow while it runs. */
export interface RunRecord {
  readonly backend: string;
  readonly adapter: WebGPUEngine['adapter'] | null;
  parameters: number;
  steps: number;
  trainingMs: number;
  stats: LookaheadStats | null;
  /** After the last step. tfjs's own count of tensors shows a leak. */
  tensors: number;
  readonly losses: { readonly step: number; readonly loss: number }[];
  readonly tests: { readonly step: number; readonly fast: number; readonly slow: number }[];
  /** At the end of the forward pass: weights, moments and activations are there, gradients not yet. */
  readonly memory: { readonly step: number; readonly device: DeviceMemory }[];
}

/** Starts `backend` and makes it tfjs's current one. Null for the CPU, which needs no engine. */
export async function startEngine(settings: Settings): Promise<WebGPUEngine | null> {
  if (settings.backend === 'cpu') {
    await tf.setBackend('cpu');
    return null;
  }
  const { vramBudget } = settings;
  return startWebGPU(vramBudget === '' ? {} : { vramBudget });
}

export function newRecord(engine: WebGPUEngine | null): RunRecord {
  return {
    backend: tf.getBackend(),
    adapter: engine?.adapter ?? null,
    parameters: 0,
    steps: 0,
    trainingMs: 0,
    stats: null,
    tensors: 0,
    losses: [],
    tests: [],
    memory: [],
  };
}

/** Trains until the steps are done or `control` stops it. Leaves nothing on the device. */
export async function train(
  settings: Settings,
  data: Mnist,
  engine: WebGPUEngine | null,
  control: Control,
  record: RunRecord,
): Promise<void> {
  const { learningRate, syncPeriod, slowStepSize } = settings;
  const model = makeModel(settings.hidden);
  const weights = model.trainableWeights.map((weight) => weight.read() as tf.Variable);
  const optimizer = lookahead(adam({ learningRate }), { syncPeriod, slowStepSize });
  const batches = shuffledBatches(data.train.count, settings.batch);
  record.parameters = weights.reduce((sum, { size }) => sum + size, 0);
  try {
    while (record.steps < settings.steps && (await control.goesOn())) {
      const startedAt = performance.now();
      const step = record.steps + 1;
      const reads = step === 1 || step % settings.readEvery === 0;
      const { images, labels } = data.train.batch(batches.next().value);
      try {
        // The step, and the sync if it ends a cycle.
        const cost = await optimizer.step(
          () => {
            const value = loss(model, images, labels);
            if (engine !== null && reads) record.memory.push({ step, device: engine.memory() });
            return value;
          },
          reads,
          weights,
        );
        record.steps = step;
        if (cost !== null) record.losses.push({ step, loss: await valueOf(cost) });
      } finally {
        tf.dispose([images, labels]);
      }
      record.trainingMs += performance.now() - startedAt;
      record.tensors = tf.memory().numTensors;
      record.stats = optimizer.stats();

      // A step before a round number: right after a sync fast and slow weights are the same.
      if ((step + 1) % settings.testEvery === 0 || step === settings.steps) {
        const test = () => accuracy(model, data.test, settings, control);
        const fast = await test();
        const slow = await optimizer.withSlowWeights(test);
        if (fast !== null && slow !== null) record.tests.push({ step, fast, slow });
      }
    }
    await optimizer.finish(); // now the model holds the slow weights
  } finally {
    optimizer.dispose();
    model.dispose();
  }
}

function makeModel(hidden: number): tfl.Sequential {
  return tfl.sequential({
    layers: [
      tfl.layers.dense({ inputShape: [784], units: hidden, activation: 'relu', name: 'first' }),
      tfl.layers.dense({ units: hidden, activation: 'relu', name: 'second' }),
      tfl.layers.dense({ units: 10, name: 'scores' }),
    ],
  });
}

function loss(model: tfl.Sequential, images: tf.Tensor, labels: tf.Tensor): tf.Scalar {
  return tf.losses.softmaxCrossEntropy(labels, model.apply(images) as tf.Tensor);
}

/** The share of test images that get the right class; null if stopped meanwhile. */
async function accuracy(
  model: tfl.Sequential,
  digits: Digits,
  { testImages, batch }: Settings,
  control: Control,
): Promise<number | null> {
  let hits = 0;
  for (let first = 0; first < testImages; first += batch) {
    if (!(await control.goesOn())) return null;
    const length = Math.min(batch, testImages - first);
    const right = tf.tidy(() => {
      const { images, labels } = digits.batch(Array.from({ length }, (_, i) => first + i));
      const scores = model.apply(images) as tf.Tensor;
      return tf.sum(tf.equal(tf.argMax(scores, 1), tf.argMax(labels, 1)));
    });
    hits += await valueOf(right);
  }
  return hits / testImages;
}

async function valueOf(scalar: tf.Tensor): Promise<number> {
  try {
    const [value = Number.NaN] = await scalar.data();
    return value;
  } finally {
    scalar.dispose();
  }
}
