// What a data set gives to a model, whatever it is made of. A data set lives in host memory; only the
// batch in use is on the device.

import type * as tf from '@tensorflow/tfjs-core';

/** Inputs and correct answers of one step. The caller disposes it. */
export interface Batch {
  /** Images: float32 [batch, side, side, 1] in 0..1. Text: int32 [batch, time], one code per character. */
  readonly inputs: tf.Tensor;
  /** int32: [batch] classes of images, or [batch, time] next characters. */
  readonly labels: tf.Tensor;
}

export interface ImageShape {
  readonly kind: 'images';
  readonly side: number;
  readonly classes: number;
}

export interface TextShape {
  readonly kind: 'text';
  /** Characters in one example. */
  readonly sequenceLength: number;
  /** Characters in the vocabulary. */
  readonly classes: number;
}

/** What a model needs to know of its data. */
export type DataShape = ImageShape | TextShape;

/** MNIST, and data sets of the same format. */
export const MNIST_SHAPE: ImageShape = { kind: 'images', side: 28, classes: 10 };
/** Moby-Dick, cut into sequences. */
export const MOBY_DICK_SHAPE: TextShape = { kind: 'text', sequenceLength: 64, classes: 83 };

interface DataSetBase {
  /** As the user asked for it: `mnist`. */
  readonly name: string;
  /** Examples to train on: an epoch passes over this many. */
  readonly trainCount: number;
  /** Examples evaluated on; `testNote` says which. */
  readonly testCount: number;
  readonly testNote: string;
  /** A fresh, seeded, endless sequence of training batches. The last, smaller batch of an epoch is left out. */
  batches(batchSize: number, seed: number): Iterator<Batch, never>;
  /** Every test example once, in order; the last batch may be smaller. */
  testBatches(batchSize: number): Iterable<Batch>;
}

export interface ImageSet extends DataSetBase, ImageShape {}
export interface TextSet extends DataSetBase, TextShape {}
export type DataSet = ImageSet | TextSet;

/** Disposes both tensors of a batch. */
export function disposeBatch(batch: Batch): void {
  batch.inputs.dispose();
  batch.labels.dispose();
}
