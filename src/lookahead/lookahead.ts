// Lookahead: k steps of an inner optimizer, then the slow weights go a part of the way towards the
// fast ones, and the fast ones go back to them.
//
// Source: Zhang, Lucas, Hinton, Ba, "Lookahead Optimizer: k steps forward, 1 step back", NeurIPS 2019,
// arXiv 1907.08610. Fast weights are the paper's θ, slow weights φ, `syncPeriod` k, `slowStepSize` α.
//
// This file holds the optimizer as TensorFlow.js knows it. stepping.ts takes a step, syncing.ts runs a sync, call-guard.ts
// says which call is allowed when.

import * as tf from '@tensorflow/tfjs-core';

import {
  type FitCallbacks,
  fitCallbacks,
  type FitHooks,
  type GivenCallback,
} from '../tfjs/fit-callback.js';
import { checkModel, type LayersModelLike, namedWeightsOf, weightsOf } from './layers-model.js';
import { assertNoSyncDue, CallGuard } from './call-guard.js';
import { checkBoolean, checkFunction, checkKeys } from '../checks/check.js';
import {
  checkLookaheadOptions,
  configOf,
  LOOKAHEAD_OPTIONS,
  type LookaheadOptions,
  type LookaheadSettings,
  partsOf,
} from './options.js';
import { AutoPlan, type PlanHints } from './auto-plan.js';
import { Stepping } from './stepping.js';
import { Syncing } from './syncing.js';
import type { CycleState } from './cycle-state.js';
import type { Plan } from '../plan/make-plan.js';
import { checkAppliesGradients, checkInner, takeOver } from './check-inner.js';
import { asInner } from '../optimizers/foreign.js';
import type { LearningRate } from '../optimizers/learning-rate.js';
import { syncOfStepFailed } from '../optimizers/steps/step-failed.js';
import { refuseAssignments, StrictOptimizer } from '../optimizers/strict-optimizer.js';
import type { InnerOptimizer } from '../optimizers/inner-optimizer.js';
import { checkNamedTensors, type NamedTensor } from '../tfjs/named-tensor.js';
import type { OwnerMap } from '../optimizers/state/owners.js';
import { mismatch, TakenTensors, toTensors } from '../snapshot/lookahead-state.js';
import { checkStep, checkVariables } from '../tfjs/variables.js';
import type { LookaheadStats } from './stats.js';
import { keptWeights, type SlowWeight } from './weights/kept.js';

/**
 * Wraps an inner optimizer: one of slowlane's, or any `tf.Optimizer`. From then on it belongs to the Lookahead: take steps
 * and dispose through the Lookahead alone.
 *
 * @throws TypeError or RangeError on a wrong option; TypeError if `inner` is a Lookahead, or belongs to one already.
 * @throws SlowlaneError UNSUPPORTED_INNER if `inner` cannot do what an option asks for.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs';
 * import { adam, lookahead } from 'slowlane';
 *
 * const w = tf.tidy(() => tf.variable(tf.tensor1d([1, 2, 3])));
 * const optimizer = lookahead(adam({ learningRate: 0.1 }), { syncPeriod: 5, slowStepSize: 0.5 });
 * for (let i = 0; i < 10; i++) await optimizer.step(() => tf.sum(tf.square(w)), false, [w]);
 * await optimizer.finish(); // w holds the slow weights
 * optimizer.dispose();
 * ```
 */
export function lookahead(inner: tf.Optimizer, options?: LookaheadOptions): Lookahead {
  return new Lookahead(inner, checkLookaheadOptions(options));
}

/** Its hooks call for it: an error names what the user has called. */
const FIT = 'model.fit';

/**
 * Lookahead: k steps of an inner optimizer, then the slow weights move a part of the way towards the fast ones, and the
 * fast ones go back to them. `lookahead()` makes it.
 *
 * @hideconstructor
 */
export class Lookahead extends StrictOptimizer {
  static {
    refuseAssignments(this, LOOKAHEAD_OPTIONS);
  }

  /** The name under which TensorFlow.js saves and finds the class. */
  static readonly className = 'SlowlaneLookahead';

  readonly #inner: InnerOptimizer;
  readonly #settings: LookaheadSettings;
  readonly #guard = new CallGuard(() => this.#state.tracking.lost);
  readonly #sync: Syncing;
  readonly #state: CycleState;
  readonly #steps: Stepping;
  readonly #own: AutoPlan;

  constructor(inner: tf.Optimizer, settings: LookaheadSettings) {
    super();
    if (inner instanceof Lookahead) {
      throw new TypeError(
        'lookahead() got a Lookahead as the inner optimizer. A Lookahead inside another one is not supported: give it the inner optimizer itself, with a longer syncPeriod if syncs are too frequent.',
      );
    }
    this.#inner = asInner(inner);
    checkInner(this.#inner, settings);
    takeOver(inner);
    this.#settings = { ...settings };
    this.#own = new AutoPlan(this.#inner, this.#settings);
    this.#sync = new Syncing(this.#inner, this.#settings, this.#guard);
    this.#state = this.#sync.state;
    this.#steps = new Stepping(this.#inner, this.#guard, this.#sync, this.#own);
  }

  /** @internal */
  static override [Symbol.hasInstance](instance: unknown): boolean {
    // tf.Optimizer's own test is inherited and takes any optimizer for any other.
    return typeof instance === 'object' && instance !== null && #inner in instance;
  }

  /**
   * Makes a Lookahead from what `getConfig` gave; TensorFlow.js calls it.
   * @throws TypeError or RangeError on a wrong option.
   * @throws SlowlaneError NOT_SERIALIZABLE or UNSUPPORTED_INNER if the inner optimizer cannot be made again.
   */
  static override fromConfig<T extends tf.serialization.Serializable>(
    cls: tf.serialization.SerializableConstructor<T>,
    config: tf.serialization.ConfigDict,
  ): T {
    const { inner, settings } = partsOf(config);
    return new cls(inner, settings);
  }

  /** @internal */
  override get made(): { by: string; options: readonly string[] } {
    return { by: 'lookahead', options: LOOKAHEAD_OPTIONS };
  }

  /**
   * The inner optimizer's rate of the next step. Assign a number; one of slowlane's own inner optimizers takes a schedule or a
   * function of the iteration too.
   * @throws TypeError or RangeError on a wrong value, or if a schedule gives no finite number ≥ 0.
   * @throws SlowlaneError UNSUPPORTED_INNER if the inner optimizer has no `learningRate`.
   */
  get learningRate(): number {
    return this.#inner.learningRate;
  }

  /** A number ≥ 0, a schedule, or a function of the iteration. */
  set learningRate(value: LearningRate) {
    this.#inner.learningRate = value;
  }

  /**
   * Sets `learningRate`, as the method of `tf.train.sgd` does.
   * @throws TypeError or RangeError on a wrong value.
   * @throws SlowlaneError UNSUPPORTED_INNER if the inner optimizer has no `learningRate`.
   */
  setLearningRate(learningRate: LearningRate): void {
    this.learningRate = learningRate;
  }

  /** The inner optimizer. */
  get inner(): tf.Optimizer {
    return this.#inner.optimizer;
  }

  /** What `vramBudget` decided when weights were first seen. null before that, and without a budget. */
  get plan(): Plan | null {
    return this.#own.plan;
  }

  /** True if `sync()` has to be awaited before the next step. */
  get due(): boolean {
    return this.#state.due;
  }

  /** Inner steps that were applied. */
  override get iterations(): number {
    return this.#state.cycle.steps;
  }

  /**
   * One inner step, at once. The step that ends a cycle leaves a sync due: await `sync()` before the next step, as `step()`
   * and `callbacks()` do. With `sync: 'inline'` it does the sync itself.
   *
   * @param f Gives the loss, a scalar.
   * @param returnCost Return the loss (the caller disposes it) instead of null.
   * @param varList The weights to train. Default: all trainable variables.
   * @throws TypeError or RangeError for a wrong argument, or a schedule that gives a wrong number.
   * @throws SlowlaneError SYNC_DUE, SYNC_RUNNING, INSIDE_SLOW_WEIGHTS, SYNC_FAILED or DISPOSED if no step may be taken now;
   * WEIGHTS_REPLACED if something else has changed weights, which then stay as they are; NON_FINITE if these or new weights hold a NaN and
   * would be captured, on a backend that can be read at once; OVER_BUDGET or
   * UNSUPPORTED_INNER if no plan can be made; with `sync: 'inline'` UNSUPPORTED if the backend cannot do that, and NON_FINITE; the
   * errors of the inner optimizer.
   */
  override minimize(
    f: () => tf.Scalar,
    returnCost = false,
    varList?: tf.Variable[],
  ): tf.Scalar | null {
    checkStep('minimize', f, varList);
    this.#steps.assertCan('minimize');
    this.#own.make(varList);
    return this.#steps.minimize(f, returnCost, varList);
  }

  /**
   * One inner step, and the sync if it ends a cycle. Calls that are not awaited queue.
   *
   * @param f Gives the loss, a scalar.
   * @param returnCost Return the loss (the caller disposes it) instead of null.
   * @param varList The weights to train. Default: all trainable variables.
   * @returns The loss if `returnCost`, else null.
   * @throws TypeError or RangeError for a wrong argument, or a schedule that gives a wrong number.
   * @throws SlowlaneError those of `minimize` and of `sync`.
   */
  step(f: () => tf.Scalar, returnCost = false, varList?: tf.Variable[]): Promise<tf.Scalar | null> {
    return this.#guard.turn('step', async () => {
      checkStep('step', f, varList);
      await this.#sync.flush('step');
      this.#own.make(varList);
      // Where we can wait, new weights are captured at once: nothing of theirs is on the device twice.
      if (varList) await this.#sync.attach(varList);
      const cost = this.#steps.minimize(f, returnCost, varList);
      try {
        await this.#sync.flush('step');
      } catch (cause) {
        cost?.dispose();
        throw syncOfStepFailed(cause, this.#inner.moved);
      }
      return cost;
    });
  }

  /**
   * One inner step with gradients that stay the caller's. A step that ends a cycle leaves a sync due.
   * @throws TypeError or RangeError for a gradient that fits no weight, or a schedule that gives a wrong number.
   * @throws SlowlaneError those of `minimize`; UNSUPPORTED_INNER with `adaptive()`, which needs the loss.
   */
  override applyGradients(gradients: tf.NamedTensorMap | NamedTensor[]): void {
    this.#steps.assertCan('applyGradients');
    checkAppliesGradients(this.#settings);
    this.#steps.applyGradients(gradients);
  }

  /** True between the micro-batches of a step. */
  get isAccumulating(): boolean {
    return this.#inner.isAccumulating === true;
  }

  /**
   * With `accumulate`: takes the step of the micro-batches so far, as if the gradients of the missing ones were 0.
   * @returns False if there were none.
   * @throws TypeError or RangeError if a schedule gives a wrong number.
   * @throws SlowlaneError those of `minimize`; NO_GRADIENT with `adaptive()` if the step would end a cycle.
   */
  completeStep(): boolean {
    this.#steps.assertCan('completeStep');
    return this.#steps.complete();
  }

  /**
   * Captures the weights of `source` now instead of at their first step; `step()` and `callbacks()` do so by themselves.
   * After a load it matches the restored slow weights to their variables. Weights of a model that are not among its
   * `trainableWeights` count as frozen until the next `attach`: call it after layers of a Sequential were frozen or
   * unfrozen, whose variables TensorFlow.js does not mark.
   * @throws TypeError or RangeError if `source` is neither a LayersModel nor a list of variables.
   * @throws SlowlaneError UNMATCHED_OVERRIDE if an override matches no weight of a LayersModel, before anything changes;
   * STATE_MISMATCH if restored slow weights do not fit; those of `sync`.
   */
  attach(source: LayersModelLike | readonly tf.Variable[]): Promise<void> {
    return this.#attach('attach', source);
  }

  /**
   * Does the sync that is due; resolves at once if none is. Continues a sync that broke off. With `early` all weights sync
   * now, in the middle of a cycle, and begin a new one.
   * @throws TypeError for a wrong option; TypeError or RangeError if a schedule of the slow step size gives a wrong number.
   * @throws SlowlaneError NON_FINITE, WEIGHTS_REPLACED or WEIGHTS_FROZEN before anything changes; SYNC_FAILED or the device's error if the
   * device failed; NO_GRADIENT with `adaptive()` and `early`; INSIDE_SLOW_WEIGHTS; DISPOSED.
   */
  sync(options?: { early?: boolean }): Promise<void> {
    const sync = async () => {
      const { early = false } = checkKeys('sync()', options, ['early']);
      const isEarly = checkBoolean('early', early);
      await this.#sync.flush('sync');
      if (isEarly) await this.#sync.syncEarly();
    };
    return this.#guard.turn('sync', sync, 'go on');
  }

  /**
   * Slow := fast for all weights, after something else has changed them. A new cycle begins.
   * @throws SlowlaneError NON_FINITE, before anything changes, if a weight holds a NaN or an infinity; INSIDE_SLOW_WEIGHTS or DISPOSED.
   */
  resync(): Promise<void> {
    return this.#guard.turn('resync', () => this.#sync.recapture(), 'go on');
  }

  /**
   * Fast := slow: gives up the steps since the previous sync, and what others have changed since. Frozen weights stay as they
   * are. A new cycle begins. The inner state begins anew if it holds a NaN or an infinity.
   * @throws SlowlaneError NON_FINITE if a weight was not finite before its first step, so that there are no slow values of it;
   * INSIDE_SLOW_WEIGHTS or DISPOSED.
   */
  discard(): Promise<void> {
    return this.#guard.turn('discard', () => this.#sync.discard(), 'replace');
  }

  /**
   * Ends training: syncs, also in mid-cycle, so that no step is lost, then fast := slow, so that the model holds the slow
   * weights, and stops the workers. With `adaptive()` only a sync that is due is done, and one that `nonFinite: 'skip'` leaves out loses its steps. Frozen weights stay as they are. Training may continue afterwards, with a new cycle.
   * @throws TypeError or RangeError if a schedule of the slow step size gives a wrong number.
   * @throws SlowlaneError those of `sync`.
   */
  finish(): Promise<void> {
    const finish = async () => {
      await this.#sync.flush('finish');
      await this.#sync.syncLast();
      await this.#sync.restore();
      await this.#sync.stopWorkers();
    };
    return this.#guard.turn('finish', finish, 'go on');
  }

  /**
   * Runs `fn` while the model holds the slow weights, then puts the fast ones back, to the bit, also if `fn` throws. Calls may
   * nest. Meanwhile the fast weights are in host memory. Frozen weights stay as they are.
   * @returns What `fn` returns.
   * @throws TypeError if `fn` is no function; RangeError if a schedule of the slow step size gives a wrong number.
   * @throws SlowlaneError those of `sync`; WEIGHTS_REPLACED at the end if `fn` changed weights, whose new values are lost; an
   * AggregateError of both if `fn` throws too, or if the fast weights cannot be put back.
   * Steps inside `fn` throw INSIDE_SLOW_WEIGHTS.
   */
  async withSlowWeights<T>(fn: () => T | Promise<T>): Promise<T> {
    checkFunction('withSlowWeights', fn);
    const swap = async () => {
      await this.#sync.flush('withSlowWeights');
      return this.#sync.showSlow();
    };
    let result: T;
    try {
      result = await this.#guard.swapped('withSlowWeights', swap, fn);
    } catch (thrown) {
      const lost = this.#sync.takeLost();
      if (!lost) throw thrown;
      throw new AggregateError([thrown, lost], lost.message, { cause: thrown });
    }
    const lost = this.#sync.takeLost();
    if (lost) throw lost;
    return result;
  }

  /**
   * Copies of the slow weights: of each weight those that it had after its last sync. They are plain arrays, so
   * they need no backend, and they are yours. Where slow weights are in host memory (each `slow` but `'device:f32'`) this
   * works when the device is lost, its engine was stopped or another backend is the current one. It is allowed at any time:
   * in mid-cycle, inside `withSlowWeights`, and after a sync broke off, where what it blended has its new values: weights, or
   * pieces of one.
   *
   * The list has the order in which weights were first seen; `attach(model)` sees them in that of `model.trainableWeights`.
   * Excluded and disposed weights are not in it. Values that were loaded and wait for their weights come last.
   * @throws SlowlaneError DEVICE_LOST or DEVICE_FAILED if slow weights went with the device: all with `'device:f32'`, and those
   * that were on their way at that moment, before the first step. `details.lostWeights` names them, and
   * `details.slowWeights` has the others. NON_FINITE, OUT_OF_MEMORY or WRONG_STATE if weights have to be captured first, and cannot;
   * DISPOSED.
   * @example
   * ```ts
   * import * as tf from '@tensorflow/tfjs';
   * import { lookahead, sgd } from 'slowlane';
   *
   * const w = tf.tidy(() => tf.variable(tf.tensor1d([1, 2, 3])));
   * const optimizer = lookahead(sgd({ learningRate: 0.1 }));
   * for (let i = 0; i < 7; i++) await optimizer.step(() => tf.sum(tf.square(w)), false, [w]);
   * const [slow] = await optimizer.slowWeights(); // of step 5
   * console.log(slow?.name, slow?.shape, slow?.values);
   * ```
   */
  slowWeights(): Promise<SlowWeight[]> {
    return this.#guard.look('slowWeights', () =>
      keptWeights(this.#state.tracking, this.#state.cycle.steps),
    );
  }

  /**
   * For `model.fit` and `fitDataset`: captures the weights, awaits syncs, and lets the event loop run.
   * @param more Your own callbacks, called after this one: instances of `tf.Callback`, or objects such as `{ onEpochEnd }`.
   * @throws TypeError if one of `more` is no callback.
   * @throws TypeError or RangeError, when training begins, if the model is not compiled with this optimizer.
   * @throws SlowlaneError, when training begins or a batch ends, those of `attach` and `sync`.
   */
  callbacks(...more: readonly GivenCallback[]): FitCallbacks {
    const begin: FitHooks['begin'] = (model, hints) => {
      checkModel(model, this, this.#settings);
      return this.#attach(FIT, model, hints);
    };
    const flush = () => this.#guard.turn(FIT, () => this.#sync.flush(FIT), 'go on');
    return fitCallbacks({ begin, flush }, more);
  }

  /** Counts, times and bytes of all syncs so far. */
  stats(): LookaheadStats {
    return this.#sync.stats();
  }

  /**
   * The options and those of the inner optimizer, as TensorFlow.js saves them with a model.
   * @throws TypeError or RangeError if an option was changed to a wrong value.
   * @throws SlowlaneError NOT_SERIALIZABLE if an option is a function.
   */
  override getConfig(): tf.serialization.ConfigDict {
    return configOf(this.#inner.optimizer, this.#settings);
  }

  /**
   * Counters, slow weights and inner state, for `model.save(…, { includeOptimizer: true })`. The tensors of slow weights are in
   * host memory. None has to be disposed, but one that was computed with or assigned is on the device until it is.
   * @throws TypeError or RangeError if the inner state cannot be read.
   * @throws SlowlaneError SYNC_DUE or WEIGHTS_REPLACED, because the model's weights and the slow ones do not belong together
   * then; STEP_OPEN; INSIDE_SLOW_WEIGHTS; DISPOSED.
   */
  override getWeights(): Promise<NamedTensor[]> {
    return this.#saving('getWeights() or model.save', (state) => Promise.resolve(state));
  }

  /**
   * Runs `save` with what `getWeights` gives, while no step can be taken, so that everything it reads fits together.
   * @returns What `save` returns.
   * @throws TypeError or RangeError if the inner state cannot be read.
   * @throws SlowlaneError those of `getWeights`.
   */
  saving<T>(
    save: (state: NamedTensor[]) => Promise<T>,
    weights?: readonly tf.Variable[],
  ): Promise<T> {
    return this.#saving('saveTraining', save, weights);
  }

  #saving<T>(
    call: string,
    save: (state: NamedTensor[]) => Promise<T>,
    weights?: readonly tf.Variable[],
  ): Promise<T> {
    return this.#guard.turn(call, async () => {
      assertNoSyncDue(call, this.#state.cycle);
      await this.#sync.flush(call);
      if (weights) this.#state.tracking.assertWithin(weights);
      if (weights) this.#inner.assertWithin(weights);
      const inner = await this.#inner.getWeights(); // first: it may refuse
      const innerSteps = this.#inner.iterations;
      return save(toTensors({ ...(await this.#state.save()), innerSteps, inner }));
    });
  }

  /**
   * Takes what `getWeights` gave, and copies it. It is matched to the weights when they are first seen.
   * @throws TypeError or RangeError for values that no state can have.
   * @throws SlowlaneError STATE_MISMATCH if they are no state of a Lookahead with this inner optimizer; INSIDE_SLOW_WEIGHTS; DISPOSED.
   */
  override async setWeights(weights: NamedTensor[]): Promise<void> {
    await this.#load('setWeights', weights);
  }

  /**
   * Replaces all state, and runs `assign` in the same turn: no other call sees half of it. `loadTraining` calls it.
   * @param state What `getWeights` gave.
   * @param known Of all weights of the model, which was saved under which name.
   * @param assign Puts the weights in place; must not fail.
   * @param trained Those that the model trains; the others count as frozen. Absent: what the last `attach` said.
   * @throws TypeError or RangeError for values that no state can have.
   * @throws SlowlaneError those of `setWeights`, and OVER_BUDGET or UNSUPPORTED_INNER if no plan can be made, before anything
   * changes.
   */
  async loading(
    state: NamedTensor[],
    known: ReadonlyMap<string, tf.Variable>,
    assign: () => void,
    trained?: readonly tf.Variable[],
  ): Promise<void> {
    const put = () => {
      assign();
      if (trained) this.#state.freezeOthers([...known.values()], trained);
    };
    await this.#load('loadTraining', state, { known, assign: put });
  }

  /**
   * Drops the slow values and the inner state of `weights`, of a layer that was removed for instance, and frees their memory.
   * The weights stay as they are; one that is trained again begins as a new one.
   * @throws TypeError if `weights` is no list of variables; RangeError if a schedule of the slow step size gives a wrong number.
   * @throws SlowlaneError UNSUPPORTED_INNER if the inner optimizer is of `tf.train` and has state of theirs; those of `sync`.
   */
  forget(weights: readonly tf.Variable[]): Promise<void> {
    return this.#guard.turn('forget', async () => {
      checkVariables('forget', weights);
      await this.#sync.flush('forget');
      const without = await this.#state.without(weights);
      try {
        this.#inner.forget(weights);
      } catch (cause) {
        without.dispose();
        throw cause;
      }
      without.commit();
    });
  }

  /**
   * Frees state, slow weights and workers; the model keeps its fast weights. No call is allowed from now on. Calls under way
   * end first, and inside `withSlowWeights` the fast weights come back first; then all is freed. Idempotent.
   * @throws SlowlaneError if the device fails while memory is freed; calls under way are no error.
   */
  override dispose(): void {
    this.#guard.dispose(() => this.#sync.dispose());
  }

  async #load(
    call: string,
    state: NamedTensor[],
    whole?: { readonly known: OwnerMap; readonly assign: () => void },
  ): Promise<void> {
    checkNamedTensors(call, state);
    const taken = new TakenTensors(state); // before the first await: the caller may dispose them after it
    const load = async () => {
      const { inner, innerSteps, ...saved } = await taken.read();
      const prepared = await this.#inner.prepare([...inner], whole?.known);
      let own;
      try {
        if (prepared.iterations !== innerSteps) {
          throw mismatch(
            `counts ${innerSteps} inner steps, its inner state ${prepared.iterations}`,
          );
        }
        if (whole) this.#own.make([...whole.known.values()]); // says where slow weights are kept
        own = this.#state.replace(saved, whole?.known);
      } catch (cause) {
        prepared.dispose();
        throw cause;
      }
      try {
        await prepared.commit();
      } catch (cause) {
        own.dispose();
        throw cause;
      }
      whole?.assign();
      own.commit();
    };
    try {
      await this.#guard.turn(call, load, 'start over');
    } finally {
      taken.dispose();
    }
  }

  /** For `call`, which is what the user has called. */
  #attach(
    call: string,
    source: LayersModelLike | readonly tf.Variable[],
    hints?: PlanHints,
  ): Promise<void> {
    return this.#guard.turn(call, async () => {
      const weights = weightsOf(source);
      const isWhole = 'trainableWeights' in source;
      const named = isWhole ? namedWeightsOf(source) : weights;
      if (isWhole) {
        this.#state.checkOverrides(named);
        this.#inner.checkOverrides?.(named);
        this.#state.freezeOthers(named, weights);
      }
      await this.#sync.flush(call);
      this.#own.make(source, hints);
      this.#inner.meet(named, { isWhole });
      if (isWhole) this.#state.tracking.meetModel(named);
      await this.#sync.attach(weights);
    });
  }
}

tf.serialization.registerClass(Lookahead);
