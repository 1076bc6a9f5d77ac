// A Lookahead inside another one. Its slow weights are inner state like any other and are maintained;
// its syncs come before the outer ones.

import * as tf from '@tensorflow/tfjs-core';

import type { Lookahead } from './lookahead.js';
import { type Gradients, matchGradients } from '../autograd/gradients.js';
import type { BeginStep, InnerOptimizer } from '../optimizers/inner.js';
import type { NamedTensor } from '../tfjs/named-tensor.js';

export class NestedInner implements InnerOptimizer {
  readonly optimizer: Lookahead;
  readonly supportsState = false;
  readonly hasSecondMoment = false;
  readonly resetsByWeight = false;

  constructor(optimizer: Lookahead) {
    this.optimizer = optimizer;
  }

  get iterations(): number {
    return this.optimizer.iterations;
  }

  get due(): boolean {
    return this.optimizer.due;
  }

  get syncDue(): boolean {
    return this.optimizer.due;
  }

  get isAccumulating(): boolean {
    return this.optimizer.isAccumulating;
  }

  completeStep(): boolean {
    return this.optimizer.completeStep();
  }

  flush(): Promise<void> {
    return this.optimizer.sync();
  }

  minimize(
    f: () => tf.Scalar,
    returnCost = false,
    varList?: tf.Variable[],
    begin?: BeginStep,
  ): tf.Scalar | null {
    const { value, grads } = this.optimizer.computeGradients(f, varList);
    begin?.(matchGradients(grads, varList).map(({ weight }) => weight));
    this.optimizer.applyGradients(grads);
    tf.dispose(grads);
    if (returnCost) return value;
    value.dispose();
    return null;
  }

  applyGradients(gradients: Gradients): void {
    this.optimizer.applyGradients(gradients as tf.NamedTensorMap);
  }

  /** Weights are known from their first step on. */
  adopt(): void {}

  state(): readonly [] {
    return [];
  }

  /** The Lookahead inside goes on: there is nothing that `innerState: 'reset'` may reset here. */
  reset(): void {}

  secondMoment(): null {
    return null;
  }

  getWeights(): Promise<NamedTensor[]> {
    return this.optimizer.getWeights();
  }

  setWeights(weights: NamedTensor[]): Promise<void> {
    return this.optimizer.setWeights(weights);
  }

  dispose(): void {
    this.optimizer.dispose();
  }
}
