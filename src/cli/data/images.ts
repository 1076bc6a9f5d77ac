// Labelled square grey images in host memory, one byte per pixel, as batches.

import * as tf from '@tensorflow/tfjs-core';
import { formatCount } from '../../checks/quantities.js';
import { RunError } from '../terminal/cli-error.js';
import { type Batch, type ImageSet, MNIST_SHAPE } from '../../models/dataset.js';
import { parseIdx } from './idx.js';
import { seededRandom, shuffle } from './random.js';

const { side: SIDE, classes: CLASSES } = MNIST_SHAPE;
const PIXELS = SIDE * SIDE;

/** The four files of a set, read; `path` and `remedy` are for errors. */
export interface ImageFile {
  readonly path: string;
  readonly content: Buffer;
  readonly remedy: string;
}

export interface ImageFiles {
  readonly trainImages: ImageFile;
  readonly trainLabels: ImageFile;
  readonly testImages: ImageFile;
  readonly testLabels: ImageFile;
}

interface Labelled {
  readonly pixels: Uint8Array;
  readonly labels: Uint8Array;
}

/** Makes a data set of four IDX files, after checking that they fit together. */
export function imageSet(name: string, files: ImageFiles): ImageSet {
  const train = labelled(files.trainImages, files.trainLabels);
  const test = labelled(files.testImages, files.testLabels);
  return {
    ...MNIST_SHAPE,
    name,
    trainCount: train.labels.length,
    testCount: test.labels.length,
    testNote: `all ${formatCount(test.labels.length)} test images`,
    batches: (batchSize, seed) => shuffledBatches(train, batchSize, seed),
    testBatches: (batchSize) => orderedBatches(test, batchSize),
  };
}

function labelled(imageFile: ImageFile, labelFile: ImageFile): Labelled {
  const images = parseIdx(imageFile.content, 3, imageFile.path, imageFile.remedy);
  const labels = parseIdx(labelFile.content, 1, labelFile.path, labelFile.remedy);
  const [count, rows, columns] = images.shape;
  if (count === 0) {
    throw new RunError(
      `${imageFile.path}: expected at least one image, found none.`,
      imageFile.remedy,
    );
  }
  if (rows !== SIDE || columns !== SIDE) {
    throw new RunError(
      `${imageFile.path}: expected images of ${SIDE}×${SIDE}, found ${rows}×${columns}.`,
      imageFile.remedy,
    );
  }
  if (labels.shape[0] !== count) {
    throw new RunError(
      `${labelFile.path}: expected ${count} labels, one per image, found ${labels.shape[0]}.`,
      labelFile.remedy,
    );
  }
  const wrong = labels.elements.findIndex((label) => label >= CLASSES);
  if (wrong >= 0) {
    throw new RunError(
      `${labelFile.path}: expected labels 0 to ${CLASSES - 1}, found ${labels.elements[wrong]} at image ${wrong}.`,
      labelFile.remedy,
    );
  }
  return { pixels: images.elements, labels: labels.elements };
}

function* shuffledBatches(
  set: Labelled,
  batchSize: number,
  seed: number,
): Generator<Batch, never, undefined> {
  const random = seededRandom(seed);
  const order = Uint32Array.from(set.labels, (_, index) => index);
  for (;;) {
    shuffle(order, random);
    for (let start = 0; start + batchSize <= order.length; start += batchSize) {
      yield toBatch(set, order.subarray(start, start + batchSize));
    }
  }
}

function* orderedBatches(set: Labelled, batchSize: number): Generator<Batch, void, undefined> {
  const order = Uint32Array.from(set.labels, (_, index) => index);
  for (let start = 0; start < order.length; start += batchSize) {
    yield toBatch(set, order.subarray(start, start + batchSize));
  }
}

/** Fresh arrays for every batch: tfjs keeps the array it is given. */
function toBatch(set: Labelled, chosen: Uint32Array): Batch {
  const pixels = new Float32Array(chosen.length * PIXELS);
  const labels = new Int32Array(chosen.length);
  let at = 0;
  for (const [row, image] of chosen.entries()) {
    labels[row] = set.labels[image] ?? 0;
    const start = image * PIXELS;
    for (let pixel = start; pixel < start + PIXELS; pixel++) {
      pixels[at++] = (set.pixels[pixel] ?? 0) / 255;
    }
  }
  return {
    inputs: tf.tensor4d(pixels, [chosen.length, SIDE, SIDE, 1]),
    labels: tf.tensor1d(labels, 'int32'),
  };
}
