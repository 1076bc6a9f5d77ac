/**
 * The optimizer around an update rule: gradients, then weight by weight one update in place, after
 * which that gradient is freed at once. Owns the slots; the weights stay the caller's.
 */
import * as tf from '@tensorflow/tfjs-core';
import { SlowlaneError } from '../checks/errors.js';
import { stepIsOpen } from './gradient-means.js';
import { type BackwardPass, recordPass } from '../autograd/backward-pass.js';
import { FitCallback } from '../tfjs/fit-callback.js';
import { type Gradients, checkGradients, matchGradients } from '../autograd/gradients.js';
import { momentsAway } from '../engine/offloaded-state.js';
import type { BeginStep, InnerOptimizer, StateTensor, SecondMoment } from './inner.js';
import type { NamedTensor } from '../tfjs/named-tensor.js';
import { type LearningRate, checkLearningRate, rateAt, rateConfig } from './learning-rate.js';
import { type SavedState, loadState, saveState } from './state/saved-state.js';
import type { RuleConstants, UpdateRule } from '../formula/update-rule.js';
import { waitsOnHost } from './step-options.js';
import { type Plannable, StepPolicy } from './step-policy.js';
import { canRecord } from '../tfjs/tape.js';
import { WeightStates } from './state/weight-states.js';
import { WeightSteps } from './weight-steps.js';

export abstract class WeightwiseOptimizer extends tf.Optimizer implements InnerOptimizer {
  readonly optimizer: tf.Optimizer = this;
  readonly supportsState = true;
  readonly resetsByWeight = true;
  readonly #rule: UpdateRule;
  readonly #constants: RuleConstants;
  readonly #states: WeightStates;
  readonly #steps: WeightSteps;
  readonly #policy: StepPolicy;
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
    const { learningRate = defaultRate } = given;
    this.#learningRate = checkLearningRate(learningRate);
    this.#policy = new StepPolicy(given);
    this.#rule = rule;
    this.#constants = constants;
    this.#states = new WeightStates(rule.state(constants), this.#policy);
    this.#steps = new WeightSteps(rule, constants, this.#states, this.#policy);
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

  /**
   * One step. Without `varList`: all trainable variables that `f` depends on.
   *
   * @throws SlowlaneError OFFLOAD_PENDING if moments wait on the host and `flush()` was not awaited.
   */
  override minimize(
    f: () => tf.Scalar,
    returnCost = false,
    varList?: tf.Variable[],
    begin?: BeginStep,
  ): tf.Scalar | null {
    this.#checkReady('minimize');
    const learningRate = this.learningRate;
    if (this.#policy.gradients === 'release' && canRecord()) {
      const pass = recordPass(f, varList ?? undefined);
      return this.#stepDuring(pass, learningRate, returnCost, begin);
    }
    // The tidy frees what a failing `f` or a loss of the wrong shape would leave behind.
    const { value, grads } = tf.tidy(() => this.computeGradients(f, varList ?? undefined));
    let keepsValue = false;
    try {
      this.#checkReady('minimize'); // `f` may have called anything
      const pairs = matchGradients(grads, varList ?? undefined);
      const plan = { learningRate, begin };
      const isStep = pairs.length > 0 && this.#steps.after(pairs, plan, { frees: true });
      if (isStep) this.incrementIterations();
      keepsValue = returnCost || value instanceof tf.Variable;
    } finally {
      tf.dispose(grads);
      if (!keepsValue) value.dispose();
    }
    return returnCost ? value : null;
  }

  /** One step with gradients that stay the caller's. A weight without one is left alone. */
  override applyGradients(gradients: Gradients): void {
    this.#checkReady('applyGradients');
    const pairs = checkGradients(gradients);
    if (pairs.length === 0) return;
    const { learningRate } = this;
    if (this.#steps.after(pairs, { learningRate }, { frees: false })) this.incrementIterations();
  }

  /** True between the micro-batches of a step. */
  get isAccumulating(): boolean {
    return this.#steps.isOpen;
  }

  /** Takes the step of the micro-batches so far, as if the gradients of the others were 0. False: none. */
  completeStep(): boolean {
    this.#checkReady('completeStep');
    const isTaken = this.#steps.complete(this.learningRate);
    if (isTaken) this.incrementIterations();
    return isTaken;
  }

  abandonStep(): void {
    this.#steps.abandon();
  }

  /** True if `flush()` has to be awaited before the next step: moments that wait on the host are away. */
  get due(): boolean {
    return this.#states.isPending;
  }

  /** Resolves at once unless moments wait on the host; then when they are back. Await it after each step. */
  flush(): Promise<void> {
    return this.#states.flush();
  }

  /** For `model.fit` and `fitDataset`: awaits `flush()`, lets the event loop run. */
  callbacks(): FitCallback[] {
    return [new FitCallback({ begin: () => Promise.resolve(), flush: () => this.flush() })];
  }

  adopt(variables: readonly tf.Variable[]): void {
    this.#checkReady('adopt');
    this.#states.adopt(variables);
  }

  state(): readonly StateTensor[] {
    return this.#states.list();
  }

  reset(weights?: readonly tf.Variable[]): void {
    this.#checkReady('reset');
    if (weights === undefined) this.#steps.abandon();
    this.#states.reset(weights);
  }

  get hidesState(): boolean {
    return this.#policy.moments !== 'device:f32' && this.#rule.state(this.#constants).length > 0;
  }

  /** For a Lookahead with a budget. */
  plannable(): Plannable {
    const policy = this.#policy;
    const inSlots = policy.clipping.by === 'nothing' && this.#rule.accumulation?.(this.#constants);
    return {
      name: this.#rule.name,
      slots: this.#rule.state(this.#constants).length,
      takesGradients: Boolean(inSlots),
      accumulate: policy.accumulate,
      fixed: policy.fixed,
      isOpen: this.#states.isEmpty,
      expectChoice: () => policy.expectChoice(),
      choose: (lifetimes) => policy.choose(lifetimes),
    };
  }

  async hasBadState(): Promise<boolean> {
    await this.flush();
    return !this.#states.isFinite;
  }

  get hasSecondMoment(): boolean {
    return this.#rule.secondMoment !== undefined && !this.hidesState;
  }

  secondMoment(weight: tf.Variable): SecondMoment | null {
    const state = this.#states.of(weight);
    if (!state || state.steps === 0 || this.hidesState) return null;
    const name = this.#rule.secondMoment ?? '';
    const diagonal = state.slots.use(({ state }) => state.get(name));
    if (diagonal === undefined) return null;
    const scale = this.#rule.secondMomentScale?.(this.#constants, state.steps) ?? 1;
    return { diagonal, scale };
  }

  override async getWeights(): Promise<NamedTensor[]> {
    this.#checkReady();
    // A step may begin, or all of it end, before it is our turn.
    while (this.due && !this.isAccumulating) await this.flush();
    if (this.#phase === 'disposed') this.#checkReady();
    if (this.isAccumulating)
      throw stepIsOpen('getWeights', this.#steps.taken, this.#policy.accumulate);
    const { iterations } = this;
    return saveState(this.#rule.name, iterations, await this.#states.snapshot());
  }

  /** Weights not seen yet take their state, by order and shape, when they are. Await it before a step. */
  override async setWeights(weights: NamedTensor[]): Promise<void> {
    this.#checkReady();
    const slotsPerWeight = this.#rule.state(this.#constants).length;
    this.#phase = 'restoring';
    try {
      const onHost = waitsOnHost(this.#policy.moments) || this.#policy.awaitsChoice;
      const saved = await loadState(this.#rule.name, slotsPerWeight, weights, { onHost });
      await this.#restore(saved);
    } finally {
      if (this.#phase === 'restoring') this.#phase = 'ready';
    }
  }

  override getConfig(): tf.serialization.ConfigDict {
    return {
      learningRate: rateConfig(this.#learningRate),
      ...this.#constants,
      ...this.#policy.config(),
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
    this.#steps.abandon();
    this.#states.dispose();
  }

  async #restore(saved: SavedState): Promise<void> {
    let isTaken = false;
    try {
      await this.flush();
      if (this.#phase === 'disposed') return;
      this.#states.restore(saved.weights);
      this.#steps.abandon();
      this.iterations_ = saved.iterations;
      isTaken = true;
    } finally {
      if (!isTaken)
        tf.dispose(saved.weights.flatMap(({ slots }) => slots.map((slot) => slot.tensor)));
    }
  }

  /** One step while the backward pass runs. */
  #stepDuring(
    pass: BackwardPass,
    learningRate: number,
    returnCost: boolean,
    begin: BeginStep | undefined,
  ): tf.Scalar | null {
    const { value } = pass;
    let keepsValue = value instanceof tf.Variable;
    try {
      this.#checkReady('minimize'); // `f` may have called anything
      if (this.#steps.during(pass, { learningRate, begin })) this.incrementIterations();
      keepsValue ||= returnCost;
    } finally {
      pass.dispose();
      if (!keepsValue) value.dispose();
    }
    return returnCost ? value : null;
  }

  /** `call` is one that needs moments which may be away. */
  #checkReady(call?: string): void {
    const name = this.#rule.name;
    if (call !== undefined && this.#phase === 'ready' && this.due)
      throw momentsAway(call, 'flush()');
    if (this.#phase === 'ready') return;
    if (this.#phase === 'disposed') {
      throw new SlowlaneError('DISPOSED', `This ${name} optimizer is disposed; make a new one.`);
    }
    throw new SlowlaneError(
      'STATE_MISMATCH',
      `This ${name} optimizer is still restoring its state: await setWeights() first.`,
    );
  }
}
