// What a program gets in place of slowlane, so that the same lines train with other gradients, by the inner rule alone, or
// with a Lookahead in plain numbers.

import * as tf from '@tensorflow/tfjs-core';
import * as slowlane from 'slowlane';

import { PlainSync } from '../reference/plain-sync.js';

/** Set before a program runs. */
export const mode: Mode = { gradients: 'keep', lookahead: 'none' };

interface Mode {
  gradients: slowlane.GradientLifetime;
  lookahead: 'none' | 'plain' | 'slowlane';
}

const withGradients =
  <Options extends slowlane.StepOptions>(
    make: (options: Options) => slowlane.WeightwiseOptimizer,
  ) =>
  (options: Options) =>
    make({ ...options, gradients: mode.gradients });

export const adam = withGradients(slowlane.adam);
export const adagrad = withGradients(slowlane.adagrad);
export const momentum = withGradients(slowlane.momentum);
export const rmsprop = withGradients(slowlane.rmsprop);
export const sgd = withGradients(slowlane.sgd);

/** Has the calls of a Lookahead that programs use. */
class StandIn extends tf.Optimizer {
  static readonly className = 'StandIn';
  readonly #inner: slowlane.WeightwiseOptimizer;
  readonly #plain: PlainSync | null;

  constructor(inner: slowlane.WeightwiseOptimizer) {
    super();
    this.#inner = inner;
    this.#plain = mode.lookahead === 'plain' ? new PlainSync(inner) : null;
  }

  override minimize(...args: Parameters<tf.Optimizer['minimize']>): tf.Scalar | null {
    return (this.#plain ?? this.#inner).minimize(...args);
  }

  override applyGradients(gradients: slowlane.Gradients): void {
    (this.#plain ?? this.#inner).applyGradients(gradients);
  }

  async step(...args: Parameters<tf.Optimizer['minimize']>): Promise<tf.Scalar | null> {
    return this.minimize(...args);
  }

  async sync(): Promise<void> {
    this.#plain?.sync();
  }

  async finish(): Promise<void> {
    this.#plain?.finish();
  }

  callbacks(...more: slowlane.GivenCallback[]): slowlane.FitCallbacks {
    return this.#inner.callbacks(...more);
  }

  override getConfig(): tf.serialization.ConfigDict {
    return {};
  }
}

export const lookahead = (inner: slowlane.WeightwiseOptimizer) =>
  mode.lookahead === 'slowlane' ? slowlane.lookahead(inner) : new StandIn(inner);
