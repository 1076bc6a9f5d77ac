// What a data set gives to a model, whatever it is made of. A data set lives in host memory; only the
// batch in use is on the device.

import type * as tf from '@tensorflow/tfjs-core';

/** Inputs and right answers of one step. Whoever asked for it disposes it. */
export interface Batch {
  /** Images: float32 [batch, 28, 28, 1] in 0..1. Text: int32 [batch, time], one code per character. */
  readonly inputs: tf.Tensor;
  /** int32: [batch] classes of images, or [batch, time] next characters. */
  readonly labels: tf.Tensor;
}

interface DataSetBase {
  /** As the user asked for it: `mnist`. */
  readonly name: string;
  /** Number of classes, or of characters in the vocabulary. */
  readonly classes: number;
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

export interface ImageSet extends DataSetBase {
  readonly kind: 'images';
  readonly side: number;
}

export interface TextSet extends DataSetBase {
  readonly kind: 'text';
  /** Characters in one example. */
  readonly sequenceLength: number;
}

export type DataSet = ImageSet | TextSet;

/** Disposes both tensors of a batch. */
export function disposeBatch(batch: Batch): void {
  batch.inputs.dispose();
  batch.labels.dispose();
}
