// α of every weight in one sync, and what adaptive() needs for it: the gradient at the fast weights, kept
// from the step that ends a cycle to its sync.

import type * as tf from '@tensorflow/tfjs-core';
import { keep } from '@tensorflow/tfjs-core';

import { firstNonFinite } from '../engines/finite.js';
import { currentDevice } from '../engines/current-device.js';
import { SlowlaneError } from '../checks/errors.js';
import type { InnerOptimizer, SecondMoment } from '../optimizers/inner.js';
import type { SlowParts } from '../slow/slow-store.js';
import {
  type AdaptiveStepSize,
  checkCurvature,
  isAdaptive,
  type SlowStepSize,
  stepSizeAt,
  type StepSizeSchedule,
} from './step-size.js';
import { adaptiveOver } from './adaptive-pass.js';
import { isWeight, type Tracked } from './tracked.js';

type PartsOf = (isMeant: (tracked: Tracked) => boolean) => SlowParts<Tracked>;

export class StepSizes {
  readonly #inner: InnerOptimizer;
  /** Adaptive or not: weights may override it, but not with an adaptive one. */
  readonly #default: SlowStepSize;
  /** By the weight's name. */
  #gradients: ReadonlyMap<string, tf.Tensor> | null = null;

  constructor(inner: InnerOptimizer, slowStepSize: SlowStepSize) {
    this.#inner = inner;
    this.#default = slowStepSize;
  }

  /** For adaptive(): `compute` evaluates the loss and its gradients at the weights as they are now. */
  keepGradientsIfNeeded(compute: () => { value: tf.Scalar; grads: tf.NamedTensorMap }): void {
    if (!isAdaptive(this.#default)) return;
    this.dropGradients();
    const { value, grads } = compute();
    value.dispose();
    const gradients = Object.entries(grads).filter(([, gradient]) => gradient);
    for (const [, gradient] of gradients) keep(gradient);
    this.#gradients = new Map(gradients);
  }

  /** Refuses `call`, which would end a cycle and leave no gradient. */
  refuseEnd(call: string): void {
    if (!isAdaptive(this.#default)) return;
    throw new SlowlaneError(
      'NO_GRADIENT',
      `${call}() would end a cycle, and adaptive() needs the gradient that the last micro-batch of it leaves behind. Take the other micro-batches, or give up these with discard().`,
    );
  }

  dropGradients(): void {
    for (const gradient of this.#gradients?.values() ?? []) gradient.dispose();
    this.#gradients = null;
  }

  /** Whose gradient holds a NaN or an infinity, in words. */
  async nonFiniteGradient(): Promise<string | undefined> {
    const gradients = [...(this.#gradients ?? [])];
    const bad = await firstNonFinite(gradients.map(([, gradient]) => gradient));
    const found = gradients.find(([, gradient]) => gradient === bad);
    return found && `the gradient of ${found[0]}`;
  }

  /** α of each of `due`. Settled here: a sync that is run again has the same. `partsOf` their slow weights. */
  async of(
    due: readonly Tracked[],
    partsOf: PartsOf,
    syncIndex: number,
  ): Promise<ReadonlyMap<Tracked, number>> {
    const isAdapting = due.some(({ slowStepSize }) => isAdaptive(slowStepSize));
    const adapted = isAdapting
      ? await this.#adapt(this.#default as AdaptiveStepSize, due, partsOf)
      : NaN;
    // A schedule may be a function with a memory: it is asked once for all weights.
    const asked = new Map<StepSizeSchedule, number>();
    const scheduled = (schedule: StepSizeSchedule): number => {
      const stepSize = asked.get(schedule) ?? stepSizeAt(schedule, syncIndex);
      asked.set(schedule, stepSize);
      return stepSize;
    };
    return new Map(
      due.map((tracked) => {
        const { slowStepSize } = tracked;
        if (typeof slowStepSize === 'number') return [tracked, slowStepSize];
        if (isAdaptive(slowStepSize)) return [tracked, adapted];
        return [tracked, scheduled(slowStepSize)];
      }),
    );
  }

  async #adapt(
    stepSize: AdaptiveStepSize,
    due: readonly Tracked[],
    partsOf: PartsOf,
  ): Promise<number> {
    const gradients = this.#gradients;
    if (!gradients) {
      throw new SlowlaneError(
        'NO_GRADIENT',
        'adaptive() needs the gradient at the fast weights, which only the minimize() or step() that ends a cycle leaves behind. Call discard() or resync() to begin a new cycle.',
      );
    }
    const curvature = new Map<tf.Variable, SecondMoment | null>();
    try {
      for (const { weight } of due.filter(isWeight)) {
        const own = stepSize.curvature?.(weight);
        const moment = own ? { diagonal: own, scale: 1 } : await this.#inner.secondMoment(weight);
        curvature.set(weight, moment);
        if (own) checkCurvature(own, weight);
      }
      const inputs = {
        gradientOf: ({ name }: tf.Variable) => gradients.get(name) ?? null,
        curvatureOf: (weight: tf.Variable) => curvature.get(weight) ?? null,
      };
      const adapted = new Set(
        due.filter((tracked) => isWeight(tracked) && tracked.slowStepSize === stepSize),
      );
      const parts = partsOf((tracked) => adapted.has(tracked));
      return await adaptiveOver(parts, stepSize, inputs, currentDevice());
    } finally {
      if (stepSize.curvature) for (const own of curvature.values()) own?.diagonal.dispose();
    }
  }
}
