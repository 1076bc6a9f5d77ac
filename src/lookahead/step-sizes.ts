// α of every weight in one sync, and what adaptive() needs for it: the gradient at the fast weights, kept
// from the step that ends a cycle to its sync.

import type * as tf from '@tensorflow/tfjs-core';
import { keep } from '@tensorflow/tfjs-core';

import { currentDevice } from '../engines/current-device.js';
import { SlowlaneError } from '../checks/errors.js';
import { type Contents, contentsOf, stillHolds } from '../engine/writes.js';
import type { InnerOptimizer, SecondMoment } from '../optimizers/inner-optimizer.js';
import type { SlowParts, SlowStore } from '../slow/slow-store.js';
import {
  type AdaptiveStepSize,
  adaptiveStepSize,
  checkCurvature,
  isAdaptive,
  type SlowStepSize,
  stepSizeAt,
  type StepSizeSchedule,
} from './step-size.js';
import { isGone } from '../tfjs/variables.js';
import { isWeight, type Tracked } from './weights/tracking.js';

export class StepSizes {
  readonly #inner: InnerOptimizer;
  /** Adaptive or not: weights may override it, but not with an adaptive one. */
  readonly #default: SlowStepSize;
  /** By the weight's name. */
  #gradients: ReadonlyMap<string, tf.Tensor> | null = null;
  /** What weights held when the gradients were computed. */
  #heldThen: ReadonlyMap<tf.Variable, Contents> = new Map();

  constructor(inner: InnerOptimizer, slowStepSize: SlowStepSize) {
    this.#inner = inner;
    this.#default = slowStepSize;
  }

  /** True with adaptive(): only the step that ends a cycle leaves them. */
  get needsGradients(): boolean {
    return isAdaptive(this.#default);
  }

  /** For adaptive(): `compute` evaluates the loss and its gradients at `weights` as they are now. */
  keepGradientsIfNeeded(
    compute: () => { value: tf.Scalar; grads: tf.NamedTensorMap },
    weights: readonly tf.Variable[],
  ): void {
    if (!this.needsGradients) return;
    this.dropGradients();
    const { value, grads } = compute();
    value.dispose();
    const gradients = Object.entries(grads).filter(([, gradient]) => gradient);
    for (const [, gradient] of gradients) keep(gradient);
    this.#gradients = new Map(gradients);
    this.#heldThen = new Map(weights.map((weight) => [weight, contentsOf(weight)]));
  }

  /** Refuses `call`, which would end a cycle and leave no gradient. */
  refuseEnd(call: string): void {
    if (!this.needsGradients) return;
    throw new SlowlaneError(
      'NO_GRADIENT',
      `${call}() would end a cycle, and adaptive() needs the gradient that the last micro-batch of it leaves behind. Take the other micro-batches, or give up these with discard().`,
    );
  }

  dropGradients(): void {
    for (const gradient of this.#gradients?.values() ?? []) gradient.dispose();
    this.#gradients = null;
    this.#heldThen = new Map();
  }

  /** Those that are kept, by the names of their weights. */
  get gradients(): readonly (readonly [weight: string, gradient: tf.Tensor])[] {
    return [...(this.#gradients ?? [])];
  }

  /** α of each of `due`, whose slow weights are in `store`. Decided once, so that a sync that is run again has the same. */
  async of(
    due: readonly Tracked[],
    store: SlowStore<Tracked>,
    syncIndex: number,
  ): Promise<ReadonlyMap<Tracked, number>> {
    const isAdapting = due.some(({ slowStepSize }) => isAdaptive(slowStepSize));
    const adapted = isAdapting
      ? await this.#adapt(this.#default as AdaptiveStepSize, due, store)
      : NaN;
    return this.decided(due, syncIndex, adapted);
  }

  /** The same where `adaptive()` has decided, or has nothing to decide. */
  decided(
    due: readonly Tracked[],
    syncIndex: number,
    adapted: number,
  ): ReadonlyMap<Tracked, number> {
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
    store: SlowStore<Tracked>,
  ): Promise<number> {
    const gradients = this.#gradients;
    if (!gradients) {
      throw new SlowlaneError(
        'NO_GRADIENT',
        'adaptive() needs the gradient at the fast weights, which only the minimize() or step() that ends a cycle leaves behind. Call discard() or resync() to begin a new cycle.',
      );
    }
    const isChanged = ([weight, held]: [tf.Variable, Contents]) =>
      !isGone(weight) && !stillHolds(weight, held);
    const changed = [...this.#heldThen].find(isChanged);
    if (changed) {
      throw new SlowlaneError(
        'NO_GRADIENT',
        `adaptive() needs the gradient at the fast weights, and something else has changed '${changed[0].name}' since the last step, so that its gradient belongs to other weights. Call discard() or resync() to begin a new cycle.`,
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
      const adapted = new Set(
        due.filter((tracked) => isWeight(tracked) && tracked.slowStepSize === stepSize),
      );
      const parts = store.parts((tracked) => adapted.has(tracked));
      return await adaptiveOver(parts, stepSize, gradients, curvature);
    } finally {
      if (stepSize.curvature) for (const own of curvature.values()) own?.diagonal.dispose();
    }
  }
}

/**
 * α = clip(1 + gᵀd / dᵀÂd, min, 1) with d = slow − fast, over `parts`: Proposition 1 (step-size.ts). One running sum
 * each, in double precision and in the order of the weights, so that the result does not depend on how they are cut.
 */
async function adaptiveOver(
  parts: SlowParts<Tracked>,
  { min }: AdaptiveStepSize,
  gradients: ReadonlyMap<string, tf.Tensor>,
  curvature: ReadonlyMap<tf.Variable, SecondMoment | null>,
): Promise<number> {
  const device = currentDevice();
  let gradientDotD = 0;
  let dCurvatureD = 0;
  for await (const { item, start, values: slow } of parts) {
    const { variable } = item;
    if (isGone(variable)) continue;
    const pulled = async (tensor: tf.Tensor | undefined) => {
      if (!tensor) return null;
      const into = new Float32Array(slow.length);
      await device.pull(tensor, start, into);
      return into;
    };
    const { diagonal, scale = 1 } = curvature.get(variable) ?? {};
    const fast = (await pulled(variable)) as Float32Array;
    const gradient = await pulled(gradients.get(variable.name));
    const a = await pulled(diagonal);
    for (let i = 0; i < slow.length; i++) {
      const d = (slow[i] as number) - (fast[i] as number);
      if (gradient) gradientDotD += (gradient[i] as number) * d;
      if (a) dCurvatureD += d * (a[i] as number) * scale * d;
    }
  }
  return adaptiveStepSize(gradientDotD, dCurvatureD, min);
}
