// For backends whose allocator is not ours: the bytes of TensorFlow.js's tensors when a step begins. Tensors that live
// within one step are not seen, nor is memory that the allocator keeps for reuse.

import * as tf from '@tensorflow/tfjs-core';

import { variableSorter } from '../engine/categories.js';
import type { MeterSink, MeterSource } from '../engine/meter-source.js';
import { allVariables } from '../tfjs/variables.js';

export class TensorCount implements MeterSource {
  readonly kind = 'tensors';
  readonly budgetBytes = Infinity;
  readonly #sink: MeterSink;

  constructor(sink: MeterSink) {
    this.#sink = sink;
    this.#look();
    sink.beginStep(0, 'other');
  }

  beginStep(step = this.#sink.step + 1): void {
    this.#look();
    this.#sink.beginStep(step, 'other');
  }

  syncing(): void {}

  stop(): void {
    this.#look();
  }

  #look(): void {
    const now = { weights: 0, moments: 0 };
    const variables = allVariables();
    const sort = variableSorter(variables);
    for (const variable of variables) now[sort(variable)] += variable.size * bytesOf(variable);
    this.#become('weights', now.weights);
    this.#become('moments', now.moments);
    // A saved clone shares the data of its variable, which is counted above once more.
    const rest = tf.memory().numBytes - now.weights - now.moments;
    this.#become('activations', Math.max(0, rest));
  }

  #become(category: 'weights' | 'moments' | 'activations', bytes: number): void {
    const change = bytes - this.#sink.bytes[category];
    if (change > 0) this.#sink.move(change, 'free', category, 'other');
    else this.#sink.move(-change, category, 'free', 'other');
  }
}

function bytesOf({ dtype }: tf.Variable): number {
  return dtype === 'bool' ? 1 : dtype === 'complex64' ? 8 : 4;
}
