/**
 * The optimizer around an update rule: gradients, then weight by weight one update in place, after
 * which that gradient is freed at once. Owns the slots; the weights stay the caller's.
 */
import * as tf from '@tensorflow/tfjs-core';
import { SlowlaneError } from '../errors.js';
import { type BackwardPass, recordPass } from './backward-pass.js';
import { type Clipping, checkClipping, clipFor, disposeClip } from './clipping.js';
import {
  type Gradients,
  type WeightGradient,
  checkGradients,
  matchGradients,
} from './gradients.js';
import type { BeginStep, InnerOptimizer, InnerSlot, SecondMoment } from './inner.js';
import type { NamedTensor } from '../snapshot/named-tensor.js';
import { type LearningRate, checkLearningRate, rateAt, rateConfig } from './learning-rate.js';
import { roundingAt } from './moment-code.js';
import { type SavedState, loadState, saveState } from './saved-state.js';
import type { Assignment, RuleConstants, UpdateRule } from './update-rule.js';
import {
  type GradientLifetime,
  type Moments,
  checkLifetime,
  checkMoments,
} from './step-options.js';
import { canRecord } from './tape.js';
import { updaterFor } from './updater.js';
import { WeightStates } from './weight-states.js';
import type { Updater, WeightUpdate } from './weight-update.js';

export abstract class WeightwiseOptimizer extends tf.Optimizer implements InnerOptimizer {
  readonly optimizer: tf.Optimizer = this;
  readonly supportsState = true;
  readonly resetsByWeight = true;
  readonly #rule: UpdateRule;
  readonly #constants: RuleConstants;
  readonly #formula: readonly Assignment[];
  readonly #states: WeightStates;
  readonly #clipping: Clipping;
  readonly #gradients: GradientLifetime;
  readonly #moments: Moments;
  #learningRate: LearningRate;
  #phase: 'ready' | 'restoring' | 'disposed' = 'ready';

  /** `constants` are checked; of `given`, the options as they came, it reads the StepOptions. */
  protected constructor(
    rule: UpdateRule,
    constants: RuleConstants,
    given: Readonly<Record<string, unknown>>,
    defaultRate: number,
  ) {
    super();
    const { learningRate = defaultRate, clipValue, clipNorm, gradients = 'keep' } = given;
    const { moments = 'device:f32' } = given;
    this.#learningRate = checkLearningRate(learningRate);
    this.#clipping = checkClipping(clipValue, clipNorm);
    this.#gradients = checkLifetime(gradients, this.#clipping);
    this.#moments = checkMoments(moments);
    this.#rule = rule;
    this.#constants = constants;
    this.#formula = rule.formula(constants);
    this.#states = new WeightStates(rule.slots(constants), this.#moments);
    this.iterations_ = 0;
  }

  /** tf.Optimizer's own check looks only for three methods and is inherited: every optimizer would pass. */
  static override [Symbol.hasInstance](instance: unknown): boolean {
    return Function.prototype[Symbol.hasInstance].call(this, instance);
  }

  /** The rate of the next step; assign a number, a schedule or a function. */
  get learningRate(): number {
    return rateAt(this.#learningRate, this.iterations);
  }

  set learningRate(value: LearningRate) {
    this.#learningRate = checkLearningRate(value);
  }

  /** One step. Without `varList`: all trainable variables that `f` depends on. */
  override minimize(
    f: () => tf.Scalar,
    returnCost = false,
    varList?: tf.Variable[],
    begin?: BeginStep,
  ): tf.Scalar | null {
    this.#checkReady();
    const learningRate = this.learningRate;
    if (this.#gradients === 'release' && canRecord()) {
      const pass = recordPass(f, varList ?? undefined);
      return this.#stepDuring(pass, learningRate, returnCost, begin);
    }
    // The tidy frees what a failing `f` or a loss of the wrong shape would leave behind.
    const { value, grads } = tf.tidy(() => this.computeGradients(f, varList ?? undefined));
    let keepsValue = false;
    try {
      this.#step(matchGradients(grads, varList ?? undefined), learningRate, { frees: true, begin });
      keepsValue = returnCost || value instanceof tf.Variable;
    } finally {
      tf.dispose(grads);
      if (!keepsValue) value.dispose();
    }
    return returnCost ? value : null;
  }

  /** One step with gradients that stay the caller's. A weight without one is left alone. */
  override applyGradients(gradients: Gradients): void {
    this.#checkReady();
    this.#step(checkGradients(gradients), this.learningRate, { frees: false });
  }

  adopt(variables: readonly tf.Variable[]): void {
    this.#checkReady();
    this.#states.adopt(variables);
  }

  slots(): readonly InnerSlot[] {
    return this.#states.list();
  }

  reset(weights?: readonly tf.Variable[]): void {
    this.#checkReady();
    this.#states.reset(weights);
  }

  get hasCodedSlots(): boolean {
    return this.#moments === 'device:q8' && this.#rule.slots(this.#constants).length > 0;
  }

  get hasSecondMoment(): boolean {
    return this.#rule.secondMoment !== undefined && !this.hasCodedSlots;
  }

  secondMoment(weight: tf.Variable): SecondMoment | null {
    const state = this.#states.of(weight);
    const diagonal = state?.slots.variables.get(this.#rule.secondMoment ?? '');
    if (!state || !diagonal || state.slots.coded || state.steps === 0) return null;
    const scale = this.#rule.secondMomentScale?.(this.#constants, state.steps) ?? 1;
    return { diagonal, scale };
  }

  override async getWeights(): Promise<NamedTensor[]> {
    this.#checkReady();
    const { iterations } = this;
    return saveState(this.#rule.name, iterations, await this.#states.snapshot());
  }

  /** Weights not seen yet take their state, by order and shape, when they are. Await it before a step. */
  override async setWeights(weights: NamedTensor[]): Promise<void> {
    this.#checkReady();
    const slotsPerWeight = this.#rule.slots(this.#constants).length;
    this.#phase = 'restoring';
    try {
      const saved = await loadState(this.#rule.name, slotsPerWeight, weights);
      this.#restore(saved);
    } finally {
      if (this.#phase === 'restoring') this.#phase = 'ready';
    }
  }

  override getConfig(): tf.serialization.ConfigDict {
    const { by } = this.#clipping;
    return {
      learningRate: rateConfig(this.#learningRate),
      ...this.#constants,
      ...(by === 'value' ? { clipValue: this.#clipping.limit } : {}),
      ...(by === 'norm' ? { clipNorm: this.#clipping.limit } : {}),
      ...(this.#gradients === 'release' ? { gradients: this.#gradients } : {}),
      ...(this.#moments === 'device:q8' ? { moments: this.#moments } : {}),
    };
  }

  static override fromConfig<T extends tf.serialization.Serializable>(
    cls: tf.serialization.SerializableConstructor<T>,
    config: tf.serialization.ConfigDict,
  ): T {
    const options = { ...config };
    delete options['customObjects']; // TensorFlow.js adds it when it loads a model
    return new cls(options);
  }

  override dispose(): void {
    this.#phase = 'disposed';
    this.#states.dispose();
  }

  #restore(saved: SavedState): void {
    let isTaken = false;
    try {
      if (this.#phase === 'disposed') return;
      this.#states.restore(saved.weights);
      this.iterations_ = saved.iterations;
      isTaken = true;
    } finally {
      if (!isTaken)
        tf.dispose(saved.weights.flatMap(({ slots }) => slots.map((slot) => slot.tensor)));
    }
  }

  #step(
    pairs: readonly WeightGradient[],
    learningRate: number,
    how: { readonly frees: boolean; readonly begin?: BeginStep | undefined },
  ): void {
    if (pairs.length === 0) return;
    const weights = pairs.map(({ weight }) => weight);
    this.#states.adopt(weights);
    how.begin?.(weights);
    const update = updaterFor(tf.backend());
    const clip = clipFor(
      this.#clipping,
      pairs.map(({ gradient }) => gradient),
    );
    try {
      for (const [i, { weight, gradient }] of pairs.entries()) {
        // A custom gradient may hand one tensor to two weights.
        const isLastUse = !pairs.some((other, j) => j > i && other.gradient === gradient);
        const takesGradient = how.frees && isLastUse;
        this.#update(update, { weight, gradient, takesGradient, clip }, learningRate);
      }
    } finally {
      disposeClip(clip);
    }
    this.incrementIterations();
  }

  /** One step while the backward pass runs. */
  #stepDuring(
    pass: BackwardPass,
    learningRate: number,
    returnCost: boolean,
    begin: BeginStep | undefined,
  ): tf.Scalar | null {
    const { value, weights } = pass;
    let keepsValue = value instanceof tf.Variable;
    try {
      this.#states.adopt(weights);
      begin?.(weights);
      const update = updaterFor(tf.backend());
      const clip = clipFor(this.#clipping, []);
      pass.run((weight, gradient) => {
        this.#update(update, { weight, gradient, takesGradient: true, clip }, learningRate);
      });
      this.incrementIterations();
      keepsValue ||= returnCost;
    } finally {
      pass.dispose();
      if (!keepsValue) value.dispose();
    }
    return returnCost ? value : null;
  }

  #update(
    update: Updater,
    step: Pick<WeightUpdate, 'weight' | 'gradient' | 'takesGradient' | 'clip'>,
    learningRate: number,
  ): void {
    const state = this.#states.of(step.weight);
    if (state === undefined) throw new Error(`'${step.weight.name}' has no state.`);
    const count = state.steps + 1;
    const scalars = this.#rule.scalars(this.#constants, learningRate, count);
    const { variables: slots, coded } = state.slots;
    const rounding = roundingAt(count);
    update({ ...step, formula: this.#formula, slots, coded, rounding, scalars });
    state.steps = count;
  }

  #checkReady(): void {
    if (this.#phase === 'ready') return;
    const name = this.#rule.name;
    if (this.#phase === 'disposed') {
      throw new SlowlaneError('DISPOSED', `This ${name} optimizer is disposed; make a new one.`);
    }
    throw new SlowlaneError(
      'STATE_MISMATCH',
      `This ${name} optimizer is still restoring its state: await setWeights() first.`,
    );
  }
}
