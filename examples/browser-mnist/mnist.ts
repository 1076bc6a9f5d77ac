// MNIST: 60,000 + 10,000 handwritten digits (LeCun, Cortes, Burges), as the server packed them. It stays
// in host memory; only the batch in use is on the device.

import * as tf from '@tensorflow/tfjs-core';

const PIXELS = 28 * 28;
const CLASSES = 10;

/** SHA-256 of each file, unpacked. */
const FILES = {
  'train-images-idx3': 'ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db',
  'train-labels-idx1': '65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5',
  't10k-images-idx3': '0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7',
  't10k-labels-idx1': 'ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2',
} as const;

export interface Mnist {
  readonly train: Digits;
  readonly test: Digits;
}

export async function loadMnist(): Promise<Mnist> {
  const [trainImages, trainLabels, testImages, testLabels] = await Promise.all([
    load('train-images-idx3', 16),
    load('train-labels-idx1', 8),
    load('t10k-images-idx3', 16),
    load('t10k-labels-idx1', 8),
  ]);
  return {
    train: new Digits(trainImages, trainLabels),
    test: new Digits(testImages, testLabels),
  };
}

/** Images of one byte per pixel, and their labels. */
export class Digits {
  readonly #pixels: Uint8Array;
  readonly #labels: Uint8Array;

  constructor(pixels: Uint8Array, labels: Uint8Array) {
    this.#pixels = pixels;
    this.#labels = labels;
  }

  get count(): number {
    return this.#labels.length;
  }

  /** `indices`' images as rows in 0..1, labels as rows with a single 1. The caller disposes both. */
  batch(indices: ArrayLike<number>): { images: tf.Tensor2D; labels: tf.Tensor2D } {
    const rows = indices.length;
    const images = new Float32Array(rows * PIXELS);
    const labels = new Float32Array(rows * CLASSES);
    for (let row = 0; row < rows; row++) {
      const image = indices[row] ?? 0;
      const first = image * PIXELS;
      for (let i = 0; i < PIXELS; i++) {
        images[row * PIXELS + i] = (this.#pixels[first + i] ?? 0) / 255;
      }
      labels[row * CLASSES + (this.#labels[image] ?? 0)] = 1;
    }
    return {
      images: tf.tensor2d(images, [rows, PIXELS]),
      labels: tf.tensor2d(labels, [rows, CLASSES]),
    };
  }
}

/** An endless sequence of batches: each epoch passes over `count` examples in a new random order. */
export function* shuffledBatches(count: number, batch: number): Generator<Uint32Array, never> {
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  for (;;) {
    tf.util.shuffle(order);
    for (let start = 0; start + batch <= count; start += batch) {
      yield order.subarray(start, start + batch);
    }
  }
}

/** The content of an IDX file behind its header. */
async function load(name: keyof typeof FILES, headerBytes: number): Promise<Uint8Array> {
  const response = await fetch(new URL(`mnist/${name}`, document.baseURI));
  if (!response.ok || response.body === null) {
    throw new Error(
      `MNIST could not be loaded: ${name}: ${response.status} ${response.statusText}`,
    );
  }
  const unpacked = response.body.pipeThrough(new DecompressionStream('gzip'));
  const content = await new Response(unpacked).arrayBuffer();
  await check(name, content);
  return new Uint8Array(content, headerBytes);
}

async function check(name: keyof typeof FILES, content: ArrayBuffer): Promise<void> {
  if (!isSecureContext) return; // there is no crypto.subtle, nor WebGPU
  const sum = new Uint8Array(await crypto.subtle.digest('SHA-256', content));
  const found = Array.from(sum, (byte) => byte.toString(16).padStart(2, '0')).join('');
  if (found !== FILES[name]) {
    throw new Error(`MNIST is damaged: ${name} has SHA-256 ${found}, expected ${FILES[name]}.`);
  }
}
