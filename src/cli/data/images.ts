// Labelled square grey images in host memory, one byte per pixel, as batches.

import * as tf from '@tensorflow/tfjs-core';
import { formatCount } from '../../checks/quantities.js';
import { type Batch, type ImageSet, MNIST_SHAPE } from '../../models/dataset.js';
import { parseIdx } from './idx.js';
import { orderedBatches, shuffledBatches } from './batches.js';
import { type DataFile, unfit } from './verified-file.js';

const { side: SIDE, classes: CLASSES } = MNIST_SHAPE;
const PIXELS = SIDE * SIDE;

export interface ImageFiles {
  readonly trainImages: DataFile;
  readonly trainLabels: DataFile;
  readonly testImages: DataFile;
  readonly testLabels: DataFile;
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
    batches: (batchSize, seed) =>
      shuffledBatches(
        train.labels.length,
        batchSize,
        seed,
        () => (chosen) => toBatch(train, chosen),
      ),
    testBatches: (batchSize) =>
      orderedBatches(
        Uint32Array.from(test.labels, (_, index) => index),
        batchSize,
        (chosen) => toBatch(test, chosen),
      ),
  };
}

function labelled(imageFile: DataFile, labelFile: DataFile): Labelled {
  const images = parseIdx(imageFile, 3);
  const labels = parseIdx(labelFile, 1);
  const [count, rows, columns] = images.shape;
  if (count === 0) {
    throw unfit(imageFile, `expected at least one image, found none`);
  }
  if (rows !== SIDE || columns !== SIDE) {
    throw unfit(imageFile, `expected images of ${SIDE}×${SIDE}, found ${rows}×${columns}`);
  }
  if (labels.shape[0] !== count) {
    throw unfit(labelFile, `expected ${count} labels, one per image, found ${labels.shape[0]}`);
  }
  const wrong = labels.elements.findIndex((label) => label >= CLASSES);
  if (wrong >= 0) {
    throw unfit(
      labelFile,
      `expected labels 0 to ${CLASSES - 1}, found ${labels.elements[wrong]} at image ${wrong}`,
    );
  }
  return { pixels: images.elements, labels: labels.elements };
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
