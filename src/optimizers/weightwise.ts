/**
 * The optimizer around an update rule: gradients, then weight by weight one update in place, after which that
 * gradient is freed at once. Owns the state; the weights stay the caller's.
 */
import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { recordPass } from '../autograd/backward-pass.js';
import { type Gradients, checkGradients, matchGradients } from '../autograd/gradients.js';
import { SlowlaneError } from '../checks/errors.js';
import { checkAllMatch } from '../checks/overrides.js';
import type { RuleConstants, StateSpec, UpdateRule } from '../formula/update-rule.js';
import { gradientsWhole } from '../tfjs/engine-state.js';
import { type FitCallbacks, type GivenCallback, fitCallbacks } from '../tfjs/fit-callback.js';
import { checkNamedTensors, type NamedTensor } from '../tfjs/named-tensor.js';
import { checkStep, checkVariables } from '../tfjs/variables.js';
import { canRecord } from '../tfjs/tape.js';
import type {
  BadState,
  BeginStep,
  InnerOptimizer,
  PreparedState,
  SecondMoment,
  StateTensor,
} from './inner-optimizer.js';
import { type LearningRate, checkLearningRate, rateAt, rateConfig } from './learning-rate.js';
import { OptimizerState } from './state/optimizer-state.js';
import type { OwnerMap } from './state/owners.js';
import { loadState, saveState } from './state/saved-state.js';
import { type MomentPolicy, STEP_OPTIONS } from './step-options.js';
import { type Plannable, StepPolicy, optionsFrom } from './step-policy.js';
import { accumulationOf } from './steps/accumulation.js';
import { stepIsOpen } from './steps/micro-batches.js';
import { type StepPlan, WeightSteps } from './steps/weight-steps.js';
import { StrictOptimizer, refuseAssignments } from './strict-optimizer.js';

interface WeightwiseState extends PreparedState {
  commit(): void;
}

/**
 * An inner optimizer of slowlane: updates weight by weight, in place where the backend can. It owns its state; the weights
 * stay the caller's.
 *
 * @hideconstructor
 */
export abstract class WeightwiseOptimizer extends StrictOptimizer implements InnerOptimizer {
  static {
    refuseAssignments(this);
  }

  /** The count of steps, by the name that TensorFlow.js gives it. */
  protected override iterations_ = 0;
  readonly #rule: UpdateRule;
  readonly #constants: RuleConstants;
  readonly #specs: readonly StateSpec[];
  readonly #policy: StepPolicy;
  readonly #state: OptimizerState;
  readonly #steps: WeightSteps;
  #learningRate: LearningRate;
  /** False until `overrides` were compared with the weights. */
  #knowsOverrides: boolean;
  #phase: 'ready' | 'restoring' | 'disposed' = 'ready';
  /** Counts everything that changed state or began to. */
  #changes = 0;

  /** `constants` are checked. Of `given`, the options as they came, it reads the StepOptions. */
  protected constructor(
    rule: UpdateRule,
    constants: RuleConstants,
    given: Readonly<Record<string, unknown>>,
  ) {
    super();
    const { learningRate = rule.learningRate } = given;
    this.#learningRate = checkLearningRate(learningRate);
    this.#policy = new StepPolicy(given);
    this.#rule = rule;
    this.#constants = constants;
    this.#specs = rule.state(constants);
    const { overrides } = this.#policy;
    if (overrides.length > 0 && this.#specs.length === 0) {
      throw new TypeError(
        `${rule.name} has no state, so overrides of its moments would change nothing. Leave overrides out.`,
      );
    }
    this.#knowsOverrides = overrides.length === 0;
    this.#state = new OptimizerState(this.#specs, this.#policy);
    this.#steps = new WeightSteps(rule, constants, this.#state, this.#policy);
  }

  /** @internal The inherited check looks only for three methods, which every optimizer has. */
  static override [Symbol.hasInstance](instance: unknown): boolean {
    return Function.prototype[Symbol.hasInstance].call(this, instance);
  }

  /** @internal */
  override get made(): { by: string; options: readonly string[] } {
    return { by: this.#rule.name, options: [...Object.keys(this.#constants), ...STEP_OPTIONS] };
  }

  /** @internal */
  get optimizer(): tf.Optimizer {
    return this;
  }

  /** @internal */
  readonly supportsState: boolean = true;

  /** @internal */
  readonly resetsByWeight: boolean = true;

  /** @internal */
  get moved(): readonly tf.Variable[] {
    return this.#steps.moved;
  }

  /**
   * The rate of the next step. Assign a number, a schedule or a function of the iteration.
   * @throws TypeError or RangeError on a wrong value, or if a schedule gives no finite number ≥ 0.
   */
  get learningRate(): number {
    return rateAt(this.#learningRate, this.iterations);
  }

  /** A number ≥ 0, a schedule, or a function of the iteration. */
  set learningRate(value: LearningRate) {
    this.#learningRate = checkLearningRate(value);
  }

  /**
   * Sets `learningRate`, as the method of `tf.train.sgd` does.
   * @throws TypeError or RangeError on a wrong value.
   */
  setLearningRate(learningRate: LearningRate): void {
    this.learningRate = learningRate;
  }

  /**
   * One step, or one micro-batch.
   *
   * @param f The loss, a scalar.
   * @param returnCost Return the loss, which is the caller's, instead of null.
   * @param varList The weights to train. Default: all trainable variables that `f` depends on.
   * @throws TypeError or RangeError for a wrong weight, or a schedule that gives no finite number ≥ 0.
   * @throws SlowlaneError OFFLOAD_PENDING if moments are on their way to the host and `flush()` was not awaited; DISPOSED;
   * STATE_MISMATCH while `setWeights` runs, or if restored state does not fit; STEP_FAILED if the step failed after some weights
   * were updated, whose names are in its `details`.
   */
  override minimize(
    f: () => tf.Scalar,
    returnCost = false,
    varList?: tf.Variable[],
    begin?: BeginStep,
  ): tf.Scalar | null {
    checkStep('minimize', f, varList);
    this.#checkReady('minimize');
    const plan = { learningRate: this.learningRate, begin };
    const list = varList ?? undefined;
    const isReleased = this.#policy.gradients === 'release' && canRecord();
    const pass = isReleased ? recordPass(f, list) : null;
    const { value, grads } =
      pass === null
        ? gradientsWhole(() => this.computeGradients(f, list))
        : { value: pass.value, grads: {} };
    let keepsValue = value instanceof tf.Variable;
    try {
      this.#checkReady('minimize'); // `f` may have called anything
      this.#changes++;
      if (pass === null ? this.#stepAfter(grads, list, plan) : this.#steps.during(pass, plan)) {
        this.#stepped();
      }
      keepsValue ||= returnCost;
    } finally {
      pass?.dispose();
      tf.dispose(grads);
      if (!keepsValue) value.dispose();
    }
    return returnCost ? value : null;
  }

  /**
   * One step with gradients that stay the caller's. A weight without a gradient stays as it is.
   * @throws TypeError or RangeError for a gradient that fits no weight.
   * @throws SlowlaneError those of `minimize`.
   */
  override applyGradients(gradients: Gradients): void {
    this.#checkReady('applyGradients');
    const pairs = checkGradients(gradients);
    if (pairs.length === 0) return;
    const { learningRate } = this;
    this.#changes++;
    if (this.#steps.after(pairs, { learningRate }, { frees: false })) this.#stepped();
  }

  /** True between the micro-batches of a step. */
  get isAccumulating(): boolean {
    return this.#steps.isOpen;
  }

  /**
   * Completes the step with the micro-batches taken so far, as if the gradients of the missing ones were 0.
   * @returns false if there were none.
   * @throws TypeError or RangeError if a schedule gives no finite number ≥ 0.
   * @throws SlowlaneError those of `minimize`.
   */
  completeStep(): boolean {
    this.#checkReady('completeStep');
    this.#changes++;
    const isTaken = this.#steps.complete(this.learningRate);
    if (isTaken) this.#stepped();
    return isTaken;
  }

  /** @internal Gives up the micro-batches taken so far. What went into the state stays there. */
  abandonStep(): void {
    this.#changes++;
    this.#steps.abandon();
  }

  /** True if `flush()` has to be awaited before the next step: state is on its way back to the host. */
  get due(): boolean {
    return this.#state.isPending;
  }

  /** Resolves when all state that is kept on the host is back there. Await it after each step. */
  flush(): Promise<void> {
    return this.#state.flush();
  }

  /**
   * For `model.fit` and `fitDataset`: awaits `flush()` after each batch, and lets the event loop run.
   * @param more Your own callbacks, called after this one: instances of `tf.Callback`, or objects such as `{ onEpochEnd }`.
   * @throws TypeError if one of `more` is no callback.
   * @throws TypeError, before the first batch, if a function in `overrides` answers neither true nor false.
   * @throws SlowlaneError UNMATCHED_OVERRIDE, before the first batch, if an entry of `overrides` matches no weight.
   */
  callbacks(...more: readonly GivenCallback[]): FitCallbacks {
    // Frozen weights count: their layer may have an entry.
    const begin = async ({ weights }: tfl.LayersModel): Promise<void> => {
      const all = weights.map((weight) => weight.read() as tf.Variable);
      this.checkOverrides(all);
      this.meet(all, { isWhole: true });
    };
    return fitCallbacks({ begin, flush: () => this.flush() }, more);
  }

  /** @internal Throws UNMATCHED_OVERRIDE if an entry of `overrides` matches none of all trained weights. */
  checkOverrides(weights: readonly tf.Variable[]): void {
    checkAllMatch("the inner optimizer's overrides", this.#policy.overrides, weights);
    this.#knowsOverrides = true;
  }

  /** @internal */
  adopt(variables: readonly tf.Variable[]): void {
    this.#checkReady('adopt');
    this.#state.adopt(variables);
  }

  /** @internal */
  meet(weights: readonly tf.Variable[], how: { readonly isWhole: boolean }): void {
    this.#checkReady();
    this.#state.meet(weights, how);
  }

  /** @internal */
  state(): readonly StateTensor[] {
    return this.#state.list();
  }

  /**
   * Resets the state of `weights` (default: all) as if no step was taken. A schedule of the learning rate continues.
   * @throws TypeError if `weights` is no list of variables.
   * @throws SlowlaneError those of `minimize`.
   */
  reset(weights?: readonly tf.Variable[]): void {
    if (weights !== undefined) checkVariables('reset', weights);
    this.#checkReady('reset');
    this.#changes++;
    if (weights === undefined) this.#steps.abandon();
    this.#state.reset(weights);
  }

  /** @internal */
  get hidesState(): boolean {
    return !this.#policy.isPlain && this.#specs.length > 0;
  }

  /** @internal */
  plannable(): Plannable {
    const policy = this.#policy;
    const isUnclipped = policy.clipping.by === 'nothing';
    return {
      name: this.#rule.name,
      slots: this.#specs.length,
      takesGradients: isUnclipped && accumulationOf(this.#rule, this.#constants) !== null,
      accumulate: policy.accumulate,
      fixed: policy.fixed,
      overrides: policy.overrides,
      isOpen: this.#state.isEmpty,
      expectChoice: () => policy.expectChoice(),
      choose: (lifetimes) => policy.choose(lifetimes),
    };
  }

  /**
   * How the state of a weight is kept; undefined before its first step.
   * @throws TypeError if `weight` is no variable.
   * @throws SlowlaneError STATE_MISMATCH if state was restored that does not fit `weight`.
   */
  momentsOf(weight: tf.Variable): MomentPolicy | undefined {
    checkVariables('momentsOf', [weight], 'a variable');
    const storage = this.#state.of(weight)?.storage;
    if (storage === undefined) return undefined;
    return `${storage.isOnHost ? 'host' : 'device'}:${storage.isQuantized ? 'q8' : 'f32'}`;
  }

  /** @internal */
  firstBadOnHost(isMeant: (weight: tf.Variable) => boolean): Promise<BadState | null> {
    return this.flush().then(() => this.#state.firstBadOnHost(isMeant));
  }

  /** @internal */
  get hasSecondMoment(): boolean {
    return this.#rule.secondMoment !== undefined && !this.hidesState;
  }

  /** @internal */
  secondMoment(weight: tf.Variable): SecondMoment | null {
    const state = this.#state.of(weight);
    if (!state || state.steps === 0 || this.hidesState) return null;
    const name = this.#rule.secondMoment ?? '';
    const at = this.#specs.findIndex((spec) => spec.name === name);
    const diagonal = state.list()[at]?.variable;
    if (diagonal === undefined) return null;
    const scale = this.#rule.secondMomentScale?.(this.#constants, state.steps) ?? 1;
    return { diagonal, scale };
  }

  /**
   * The step counts, and the state of each weight in float32, as live variables or tensors in host memory. None has to be
   * disposed, but one that was computed with is on the device until it is.
   * @throws RangeError if the state of a weight cannot be read.
   * @throws SlowlaneError STEP_OPEN between the micro-batches of a step; SYNC_RUNNING if a step is taken meanwhile; DISPOSED;
   * STATE_MISMATCH while `setWeights` runs.
   */
  override getWeights(): Promise<NamedTensor[]> {
    return this.saving((state) => Promise.resolve(state));
  }

  /**
   * Runs `save` with what `getWeights` gives, and checks that no step or micro-batch was taken until it is done.
   * @param save Reads what belongs to the state.
   * @param weights All weights of the model, if they are saved with the state.
   * @returns What `save` returns.
   * @throws TypeError or RangeError if the state of a weight cannot be read.
   * @throws SlowlaneError those of `getWeights`; STATE_MISMATCH if there is state of a weight that is not among `weights`.
   */
  async saving<T>(
    save: (state: NamedTensor[]) => Promise<T>,
    weights?: readonly tf.Variable[],
  ): Promise<T> {
    this.#checkReady();
    this.#state.throwIfLost();
    // While this waits, another step may begin, or the optimizer may be disposed.
    while (this.due && !this.isAccumulating) await this.flush();
    if (this.#phase === 'disposed') this.#checkReady();
    if (this.isAccumulating)
      throw stepIsOpen('getWeights', this.#steps.taken, this.#policy.accumulate);
    if (weights) this.assertWithin(weights);
    const [changes, iterations] = [this.#changes, this.iterations];
    const saved = await save(saveState(this.#rule.name, iterations, await this.#state.snapshot()));
    if (this.#changes === changes) return saved;
    throw new SlowlaneError(
      'SYNC_RUNNING',
      `A step was taken while the state of this ${this.#rule.name} optimizer was read. Await saveTraining() or getWeights() before the next step.`,
    );
  }

  /**
   * Replaces all state by what `getWeights` gave, also of an optimizer with other `moments`, or of the same optimizer of
   * `tf.train`; copies it. Weights that are not seen yet take theirs when they are, by name or order and by shape. Await it
   * before the next step.
   * @throws TypeError or RangeError for values that no state can have.
   * @throws SlowlaneError STATE_MISMATCH if the state is of another rule, or does not fit the weights; DISPOSED.
   */
  override async setWeights(weights: NamedTensor[]): Promise<void> {
    (await this.prepare(weights)).commit();
  }

  /** @internal */
  async prepare(weights: NamedTensor[], known?: OwnerMap): Promise<WeightwiseState> {
    checkNamedTensors('setWeights', weights);
    this.#checkReady();
    this.#phase = 'restoring';
    const end = () => {
      if (this.#phase === 'restoring') this.#phase = 'ready';
    };
    try {
      // Quantizing and offloading read values on the host.
      const onHost = !this.#policy.isPlain || this.#policy.awaitsChoice;
      const slots = this.#specs.map(({ name }) => name);
      const saved = await loadState(this.#rule.name, slots, weights, { onHost });
      const { iterations } = saved;
      const replacement = await this.#state.replace(saved, known, () => this.flush());
      const commit = () => {
        if (this.#phase === 'disposed') return replacement.dispose();
        replacement.commit();
        this.#steps.abandon();
        this.iterations_ = iterations;
        this.#changes++;
        return end();
      };
      const dispose = () => {
        replacement.dispose();
        end();
      };
      return { iterations, commit, dispose };
    } catch (cause) {
      end();
      throw cause;
    }
  }

  /**
   * Replaces all state, and runs `assign` in the same turn: no step comes between. `loadTraining` calls it.
   * @param state What `getWeights` gave.
   * @param known Of all weights of the model, which was saved under which name.
   * @param assign Puts the weights in place; must not fail.
   * @throws TypeError or RangeError for values that no state can have.
   * @throws SlowlaneError those of `setWeights`, before anything changes.
   */
  async loading(
    state: NamedTensor[],
    known: ReadonlyMap<string, tf.Variable>,
    assign: () => void,
  ): Promise<void> {
    const prepared = await this.prepare(state, known);
    if (this.#phase === 'restoring') assign();
    prepared.commit();
    this.#checkReady();
  }

  /**
   * Drops the state of `weights`, of a layer that was removed for instance, and frees its memory. A weight that is trained
   * again begins with fresh state.
   * @throws TypeError if `weights` is no list of variables.
   * @throws SlowlaneError those of `minimize`; STATE_MISMATCH if restored state waits and it is not certain whose it is.
   */
  forget(weights: readonly tf.Variable[]): void {
    checkVariables('forget', weights);
    this.#checkReady('forget');
    this.#state.forget(weights);
    this.#steps.forget(weights);
    this.#changes++;
  }

  /** @internal */
  assertWithin(weights: readonly tf.Variable[]): void {
    this.#state.assertWithin(weights);
  }

  /**
   * The options, as TensorFlow.js saves them with a model.
   * @throws SlowlaneError NOT_SERIALIZABLE if an option is a function.
   */
  override getConfig(): tf.serialization.ConfigDict {
    return {
      learningRate: rateConfig(this.#learningRate),
      ...this.#constants,
      ...this.#policy.config(),
    };
  }

  /**
   * Makes the optimizer from what `getConfig` gave; TensorFlow.js calls it.
   * @throws TypeError or RangeError on a wrong option.
   */
  static override fromConfig<T extends tf.serialization.Serializable>(
    cls: tf.serialization.SerializableConstructor<T>,
    config: tf.serialization.ConfigDict,
  ): T {
    const options = optionsFrom(config);
    delete options['customObjects']; // TensorFlow.js adds it when it loads a model
    return new cls(options);
  }

  /** Frees the state; the weights stay. Idempotent. */
  override dispose(): void {
    this.#phase = 'disposed';
    this.#steps.abandon();
    this.#state.dispose();
  }

  /** After each complete step. */
  #stepped(): void {
    this.incrementIterations();
    if (this.#knowsOverrides) return;
    this.#knowsOverrides = true;
    try {
      this.checkOverrides(this.#state.weights);
    } catch (error) {
      // The other weights may follow in later steps.
      console.warn(`slowlane: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  #stepAfter(
    grads: tf.NamedTensorMap,
    varList: tf.Variable[] | undefined,
    plan: StepPlan,
  ): boolean {
    const pairs = matchGradients(grads, varList);
    return pairs.length > 0 && this.#steps.after(pairs, plan, { frees: true });
  }

  /** @param call Set if the call needs state that may be on its way to the host. */
  #checkReady(call?: string): void {
    const name = this.#rule.name;
    if (call !== undefined && this.#phase === 'ready') this.#state.assertHere(call);
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
