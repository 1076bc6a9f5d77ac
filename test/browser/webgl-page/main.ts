// Six steps of one optimizer on tfjs's WebGL backend, and the same steps on its cpu backend to compare with.
// Each optimizer gets a page of its own: the backend keeps the textures of whoever trained before.

import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-webgl';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers'; // registers the gradients of tfjs-core's ops
import { adam, lookahead, SlowlaneError } from 'slowlane';

const LAYERS = 8;
const WIDTH = 128;
const BATCH = 32;
const STEPS = 6; // a sync is after the fifth

/** tfjs takes Adam's epsilon from the backend, and WebGL's may be 1e-4: given, so that all train the same. */
const EPSILON = 1e-7;

const MAKE: Readonly<Record<string, () => tf.Optimizer>> = {
  'tf.train.adam': () => tf.train.adam(0.001, 0.9, 0.999, EPSILON),
  'adam()': () => adam(),
  "adam({ gradients: 'release' })": () => adam({ gradients: 'release' }),
  'lookahead(adam())': () => lookahead(adam()),
  "lookahead(adam({ gradients: 'release' }))": () => lookahead(adam({ gradients: 'release' })),
  "adam({ moments: 'device:q8' })": () => adam({ moments: 'device:q8' }),
};

interface Trained {
  readonly losses: number[];
  /** Textures of the device, free ones too: the backend frees none, so this is the peak. */
  readonly allocatedBytes: number;
}

async function train(backend: string, make: () => tf.Optimizer): Promise<Trained> {
  if (!(await tf.setBackend(backend))) throw new Error(`no backend ${backend}`);
  const [x, y] = [random([BATCH, WIDTH], 1), random([BATCH, WIDTH], 2)];
  const weights = Array.from({ length: LAYERS }, (_, i) =>
    tf.tidy(() => tf.variable(tf.mul(random([WIDTH, WIDTH], 3 + i), 0.1))),
  );
  const optimizer = make();
  const loss = () => {
    const out = weights.reduce<tf.Tensor>((h, w, i) => {
      const next = tf.matMul(h, w as tf.Tensor2D);
      return i === LAYERS - 1 ? next : tf.relu(next);
    }, x);
    return tf.mean(tf.squaredDifference(out, y)) as tf.Scalar;
  };
  const losses: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    const cost = optimizer.minimize(loss, true, weights);
    losses.push(...((await cost?.data()) ?? []));
    cost?.dispose();
    if ('sync' in optimizer) await (optimizer as ReturnType<typeof lookahead>).sync();
  }
  const { numBytesInGPUAllocated } = tf.memory() as { numBytesInGPUAllocated?: number };
  return { losses, allocatedBytes: numBytesInGPUAllocated ?? 0 };
}

function random(shape: [number, number], seed: number): tf.Tensor2D {
  return tf.randomUniform(shape, -1, 1, 'float32', seed);
}

async function run() {
  const name = new URLSearchParams(location.search).get('optimizer') ?? '';
  const make = MAKE[name];
  if (make === undefined) throw new Error(`no optimizer ${name}`);
  try {
    const { losses: onCpu } = await train('cpu', make);
    const { losses, allocatedBytes } = await train('webgl', make);
    return { onCpu, losses, bytesPerParameter: allocatedBytes / (LAYERS * WIDTH * WIDTH) };
  } catch (error) {
    if (error instanceof SlowlaneError) return { code: error.code };
    throw error;
  }
}

Object.assign(globalThis, { result: run() });
