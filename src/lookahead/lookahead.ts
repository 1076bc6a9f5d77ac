// Lookahead: k steps of an inner optimizer, then the slow weights go a part of the way towards the
// fast ones, and the fast ones go back to them.
//
// Source: Zhang, Lucas, Hinton, Ba, "Lookahead Optimizer: k steps forward, 1 step back", NeurIPS 2019,
// arXiv 1907.08610. Fast weights are the paper's θ, slow weights φ, `syncPeriod` k, `slowStepSize` α.
//
// This file holds the optimizer as TensorFlow.js knows it. syncing.ts runs a sync, call-guard.ts says which call is
// allowed when.

import * as tf from '@tensorflow/tfjs-core';

import { FitCallback, type FitHooks } from '../tfjs/fit-callback.js';
import { checkModel, type LayersModelLike, weightsOf } from './layers-model.js';
import { checkGradients } from '../autograd/gradients.js';
import { checkCounters } from './cycle.js';
import { assertMayStep, assertNoSyncDue, CallGuard } from './call-guard.js';
import { checkFunction } from '../checks/check.js';
import {
  checkLookaheadOptions,
  configOf,
  type LookaheadOptions,
  type LookaheadSettings,
  partsOf,
} from './options.js';
import { AutoPlan, type PlanHints } from './auto-plan.js';
import { Syncing } from './syncing.js';
import type { CycleState } from './cycle-state.js';
import type { Plan } from '../plan/make-plan.js';
import { checkAppliesGradients, checkInner, takeOver } from './check-inner.js';
import { asInner } from '../optimizers/foreign.js';
import type { InnerOptimizer } from '../optimizers/inner.js';
import type { NamedTensor } from '../tfjs/named-tensor.js';
import { TakenTensors, toTensors } from '../snapshot/lookahead-state.js';
import type { LookaheadStats } from './stats.js';

/**
 * Wraps `inner`, one of slowlane's optimizers or any `tf.Optimizer`, which is the Lookahead's from then
 * on: take steps and dispose through the Lookahead alone.
 *
 * @throws TypeError or RangeError on a wrong option.
 * @example
 * const optimizer = lookahead(adam({ learningRate: 1e-3 }), { syncPeriod: 5, slowStepSize: 0.5 });
 */
export function lookahead(inner: tf.Optimizer, options?: LookaheadOptions): Lookahead {
  return new Lookahead(inner, checkLookaheadOptions(options));
}

export class Lookahead extends tf.Optimizer {
  static readonly className = 'SlowlaneLookahead';

  readonly #inner: InnerOptimizer;
  readonly #settings: LookaheadSettings;
  readonly #guard = new CallGuard();
  readonly #sync: Syncing;
  readonly #state: CycleState;
  readonly #own: AutoPlan;

  /** Use `lookahead()`, which checks the options. */
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
  }

  static override [Symbol.hasInstance](instance: unknown): boolean {
    // tf.Optimizer's own test is inherited and takes any optimizer for any other.
    return typeof instance === 'object' && instance !== null && #inner in instance;
  }

  static override fromConfig<T extends tf.serialization.Serializable>(
    cls: tf.serialization.SerializableConstructor<T>,
    config: tf.serialization.ConfigDict,
  ): T {
    const { inner, settings } = partsOf(config);
    return new cls(inner, settings);
  }

  /** The optimizer inside, for its learning rate. */
  get inner(): tf.Optimizer {
    return this.#inner.optimizer;
  }

  /** What `vramBudget` decided, when weights were first seen; null before, and without a budget. */
  get plan(): Plan | null {
    return this.#own.plan;
  }

  /** True if `sync()` has to be awaited before the next step. */
  get due(): boolean {
    return this.#state.due;
  }

  /** Inner steps that were applied. */
  override get iterations(): number {
    return this.#state.steps;
  }

  /**
   * One inner step, at once. The step that ends a cycle leaves a sync due: await `sync()` before the next
   * step (`step()` and `callbacks()` do).
   *
   * @param f Gives the loss, a scalar.
   * @param returnCost Return the loss (the caller disposes it) instead of null.
   * @param varList The weights to train. Default: all trainable variables.
   * @throws SlowlaneError SYNC_DUE, SYNC_RUNNING, INSIDE_SLOW_WEIGHTS, SYNC_FAILED, DISPOSED.
   */
  override minimize(
    f: () => tf.Scalar,
    returnCost = false,
    varList?: tf.Variable[],
  ): tf.Scalar | null {
    this.#assertCanStep('minimize');
    this.#own.make(varList);
    return this.#step(f, returnCost, varList);
  }

  /**
   * One inner step, and the sync if it ends a cycle. Calls that are not awaited queue.
   *
   * @returns the loss if `returnCost` (the caller disposes it), else null.
   */
  step(f: () => tf.Scalar, returnCost = false, varList?: tf.Variable[]): Promise<tf.Scalar | null> {
    return this.#guard.turn('step', async () => {
      await this.#sync.flush();
      this.#own.make(varList);
      // Where we can wait, new weights are captured at once: nothing of theirs is on the device twice.
      if (varList) await this.#sync.attach(varList);
      const cost = this.#step(f, returnCost, varList);
      try {
        await this.#sync.flush();
      } catch (cause) {
        cost?.dispose();
        throw cause;
      }
      return cost;
    });
  }

  override applyGradients(gradients: tf.NamedTensorMap | NamedTensor[]): void {
    this.#assertCanStep('applyGradients');
    checkAppliesGradients(this.#settings);
    const weights = checkGradients(gradients).map(({ weight }) => weight);
    if (weights.length === 0) return; // no gradient, no step
    this.#own.make(weights, { hasGradients: true });
    this.#state.stepping(weights);
    this.#inner.applyGradients(gradients);
    this.#state.stepped();
  }

  /** True between the micro-batches of a step. */
  get isAccumulating(): boolean {
    return this.#inner.isAccumulating === true;
  }

  /** For an inner optimizer that accumulates: the step of the micro-batches so far. False: there were none. */
  completeStep(): boolean {
    this.#assertCanStep('completeStep');
    return this.#state.completeStep();
  }

  /**
   * Captures the weights of `source` now instead of at their first step; `step()` and `callbacks()` do so
   * by themselves. After a load it matches the restored slow weights to their variables.
   *
   * @throws SlowlaneError UNMATCHED_OVERRIDE if an override matches no weight of a LayersModel, before anything changes.
   */
  attach(source: LayersModelLike | readonly tf.Variable[]): Promise<void> {
    return this.#attach(source);
  }

  /**
   * Does the sync that is due; resolves at once if none is. Goes on with one that broke off. With
   * `early` all weights sync now, in mid-cycle, and begin a new cycle (not with adaptive(), which needs
   * the gradient that the last step of a cycle leaves). NON_FINITE is thrown before anything changes.
   */
  sync(options?: { early?: boolean }): Promise<void> {
    const sync = async () => {
      await this.#sync.flush();
      if (options?.early === true) await this.#sync.syncEarly();
    };
    return this.#guard.turn('sync', sync, 'go on');
  }

  /** Slow := fast, after weights were replaced by hand. A new cycle begins. */
  resync(): Promise<void> {
    return this.#guard.turn('resync', () => this.#sync.recapture(), 'go on');
  }

  /** Fast := slow: gives up the steps since the last sync. A new cycle begins. */
  discard(): Promise<void> {
    return this.#guard.turn('discard', () => this.#sync.discard(), 'replace');
  }

  /**
   * Ends training: does the sync that is due, then fast := slow, so that the model holds the slow
   * weights, and stops the workers. Training may go on afterwards, with a new cycle.
   */
  finish(): Promise<void> {
    const finish = async () => {
      await this.#sync.flush();
      await this.#sync.restore();
      await this.#sync.stopWorkers();
    };
    return this.#guard.turn('finish', finish, 'go on');
  }

  /**
   * Runs `fn` while the model holds the slow weights, then puts the fast ones back, to the bit, also if
   * `fn` throws. Nests. Steps inside throw. Meanwhile the fast weights wait in host memory.
   */
  async withSlowWeights<T>(fn: () => T | Promise<T>): Promise<T> {
    checkFunction('withSlowWeights', fn);
    const swap = async () => {
      await this.#sync.flush();
      return this.#sync.showSlow();
    };
    return this.#guard.swapped('withSlowWeights', swap, fn);
  }

  /** For `model.fit` and `fitDataset`: captures the weights, awaits syncs, lets the event loop run. */
  callbacks(): FitCallback[] {
    const begin: FitHooks['begin'] = (model, hints) => {
      checkModel(model, this, this.#settings);
      return this.#attach(model, hints);
    };
    return [new FitCallback({ begin, flush: () => this.sync() })];
  }

  stats(): LookaheadStats {
    return this.#sync.stats();
  }

  override getConfig(): tf.serialization.ConfigDict {
    return configOf(this.#inner.optimizer, this.#settings);
  }

  /**
   * Counters, slow weights and inner state, for `model.save(…, { includeOptimizer: true })`. The tensors
   * of slow weights are on the host only; none has to be disposed.
   *
   * @throws SlowlaneError SYNC_DUE: the model's weights and the slow ones do not belong together then.
   */
  override getWeights(): Promise<NamedTensor[]> {
    return this.saving((state) => Promise.resolve(state));
  }

  /** Runs `save` with what `getWeights` gives, while no step can be taken: for what has to fit together. */
  saving<T>(save: (state: NamedTensor[]) => Promise<T>): Promise<T> {
    return this.#guard.turn('getWeights', async () => {
      assertNoSyncDue('getWeights', this.#state);
      await this.#sync.flush();
      const inner = await this.#inner.getWeights(); // first: it may refuse
      return save(toTensors({ ...(await this.#state.save()), inner }));
    });
  }

  /** Takes what `getWeights` gave; copies it. It is matched to the weights when they are first seen. */
  override async setWeights(weights: NamedTensor[]): Promise<void> {
    const taken = new TakenTensors(weights); // before the first await: the caller may dispose them after it
    const load = async () => {
      const { counters, slow, inner } = await taken.read();
      checkCounters(counters);
      await this.#inner.setWeights([...inner]);
      this.#state.load(counters, slow);
    };
    try {
      await this.#guard.turn('setWeights', load, 'replace');
    } finally {
      taken.dispose();
    }
  }

  /** Frees slots, slow weights and workers; the model keeps its fast weights. Idempotent. */
  override dispose(): void {
    this.#guard.dispose(() => this.#sync.dispose());
  }

  #attach(source: LayersModelLike | readonly tf.Variable[], hints?: PlanHints): Promise<void> {
    return this.#guard.turn('attach', async () => {
      const weights = weightsOf(source);
      if ('trainableWeights' in source) {
        this.#state.checkOverrides(weights);
        this.#inner.checkOverrides?.(weights);
      }
      await this.#sync.flush();
      this.#own.make(source, hints);
      await this.#sync.attach(weights);
    });
  }

  /** One step of the inner optimizer, and what it leaves for the sync. */
  #step(f: () => tf.Scalar, returnCost: boolean, varList?: tf.Variable[]): tf.Scalar | null {
    // Without a list, only weights that get a gradient count: among all trainable variables there may be
    // state of other optimizers (tfjs's Adam registers its own as trainable).
    const cost = this.#guard.stepping('minimize', () =>
      this.#inner.minimize(f, returnCost, varList, (weights) =>
        this.#state.stepping(varList ?? weights),
      ),
    );
    this.#state.stepped();
    try {
      this.#state.keepGradientsIfNeeded(() => this.#inner.optimizer.computeGradients(f, varList));
    } catch (cause) {
      cost?.dispose();
      throw cause;
    }
    return cost;
  }

  #assertCanStep(call: string): void {
    this.#guard.assertFree(call);
    assertMayStep(call, this.#state);
  }
}

tf.serialization.registerClass(Lookahead);
