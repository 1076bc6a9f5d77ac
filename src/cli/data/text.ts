// A text as a character-level data set: given the characters so far, predict the next one.

import * as tf from '@tensorflow/tfjs-core';
import { type Batch, MOBY_DICK_SHAPE, type TextSet } from '../../models/dataset.js';
import { orderedBatches, shuffledBatches } from './batches.js';
import { unfit } from './verified-file.js';

const { sequenceLength: SEQUENCE_LENGTH } = MOBY_DICK_SHAPE;
const TEST_SHARE = 0.1;
/** At most this many: evaluating all of a long text would take longer than training on it. */
const MAX_TEST_SEQUENCES = 256;

/** Shorter texts leave no whole sequence for the test part. */
const MIN_LENGTH = 100 * SEQUENCE_LENGTH;

/** With one character there is nothing to predict. */
const MIN_VOCABULARY = 2;

/** Makes a data set of `text`, whose last tenth is the test part; `path` and `remedy` are for the error. */
export function textSet(name: string, text: string, path: string, remedy: string): TextSet {
  const { codes, vocabulary } = encode(text);
  if (codes.length < MIN_LENGTH) {
    throw unfit(
      { path, remedy },
      `expected at least ${MIN_LENGTH} characters, found ${codes.length}`,
    );
  }
  if (vocabulary.length < MIN_VOCABULARY) {
    throw unfit(
      { path, remedy },
      `expected at least ${MIN_VOCABULARY} different characters, found only ${JSON.stringify(vocabulary[0])}`,
    );
  }
  const trainLength = Math.floor(codes.length * (1 - TEST_SHARE));
  const train = codes.subarray(0, trainLength);
  const test = codes.subarray(trainLength);
  const testStarts = spread(test, MAX_TEST_SEQUENCES);
  return {
    kind: 'text',
    name,
    classes: vocabulary.length,
    sequenceLength: SEQUENCE_LENGTH,
    trainCount: sequencesIn(train) - 1,
    testCount: testStarts.length,
    testNote: `${testStarts.length} sequences of ${SEQUENCE_LENGTH} characters, spread over the last ${TEST_SHARE * 100} % of the text`,
    // Each epoch cuts the text anew, at a random offset. An offset moves the last piece beyond the end.
    batches: (batchSize, seed) =>
      shuffledBatches(sequencesIn(train) - 1, batchSize, seed, (random) => {
        const offset = Math.floor(random() * SEQUENCE_LENGTH);
        return (pieces) =>
          toBatch(
            train,
            pieces.map((piece) => piece * SEQUENCE_LENGTH + offset),
          );
      }),
    testBatches: (batchSize) =>
      orderedBatches(testStarts, batchSize, (starts) => toBatch(test, starts)),
  };
}

/** One code per character; the vocabulary is in code point order, so that it does not depend on anything else. */
function encode(text: string): { codes: Int32Array; vocabulary: string[] } {
  const characters = Array.from(text);
  const vocabulary = [...new Set(characters)].toSorted();
  const kindOf = new Map(vocabulary.map((character, code) => [character, code]));
  return {
    codes: Int32Array.from(characters, (character) => kindOf.get(character) ?? 0),
    vocabulary,
  };
}

/** Sequences that don't overlap; each needs one character more, the last answer. */
function sequencesIn(codes: Int32Array): number {
  return Math.floor((codes.length - 1) / SEQUENCE_LENGTH);
}

function spread(codes: Int32Array, most: number): Uint32Array {
  const available = sequencesIn(codes);
  const count = Math.min(available, most);
  return Uint32Array.from(
    { length: count },
    (_, index) => Math.floor((index * available) / count) * SEQUENCE_LENGTH,
  );
}

function toBatch(codes: Int32Array, starts: Uint32Array): Batch {
  const inputs = new Int32Array(starts.length * SEQUENCE_LENGTH);
  const labels = new Int32Array(starts.length * SEQUENCE_LENGTH);
  for (const [row, start] of starts.entries()) {
    const at = row * SEQUENCE_LENGTH;
    inputs.set(codes.subarray(start, start + SEQUENCE_LENGTH), at);
    labels.set(codes.subarray(start + 1, start + 1 + SEQUENCE_LENGTH), at);
  }
  const shape: [number, number] = [starts.length, SEQUENCE_LENGTH];
  return {
    inputs: tf.tensor2d(inputs, shape, 'int32'),
    labels: tf.tensor2d(labels, shape, 'int32'),
  };
}
