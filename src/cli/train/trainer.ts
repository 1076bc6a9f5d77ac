// Takes the steps: with the inner optimizer alone or inside Lookahead. Both look the same to the training loop.

import type * as tf from '@tensorflow/tfjs-core';
import { adaptive, lookahead, type LookaheadStats, type WeightwiseOptimizer } from '../../index.js';
import { makeInner } from '../../optimizers/rules/by-name.js';
import { checkAllMatch } from '../../checks/overrides.js';
import type { HostMemory, SyncRecord } from '../../records/run-record.js';
import type { SyncTotals } from '../../records/step-times.js';
import { reasonOf, UsageError } from '../terminal/cli-error.js';
import { innerOverrides, lookaheadOverrides, type Override } from '../terminal/override.js';
import type { TrainOptions } from './options.js';

/** Lower bound of the adaptive slow step size. Without one, slow weights may stop moving. */
const ADAPTIVE_MIN = 0.1;

export interface TrainerStats {
  readonly sync: SyncRecord;
  /** Undefined before the first sync. */
  readonly lastSyncMs: number | undefined;
  readonly syncTotals: SyncTotals;
  readonly host: HostMemory;
}

export interface Trainer {
  /** Takes a step or micro-batch, and syncs if due. Resolves to the loss if `wantsLoss`; the caller disposes it. */
  step(loss: () => tf.Scalar, wantsLoss: boolean): Promise<tf.Scalar | null>;
  /** Undefined without Lookahead. */
  stats(): TrainerStats | undefined;
  /** Runs `work` while the model holds the slow weights. Without Lookahead there are none: undefined. */
  withSlowWeights<T>(work: () => Promise<T>): Promise<T | undefined>;
  /** Leaves the trained weights in the model: with Lookahead the slow ones. */
  finish(): Promise<void>;
  dispose(): void;
}

/** Makes the optimizer that `options` ask for; it trains `variables`, which stay the caller's. */
export function makeTrainer(options: TrainOptions, variables: readonly tf.Variable[]): Trainer {
  const { learningRate, gradients, moments, accumulate, override } = options;
  checkOverridesMatch(override, variables);
  const inner = makeInner(options.inner, {
    learningRate,
    gradients,
    moments,
    accumulate,
    overrides: innerOverrides(override),
  });
  return options.lookahead
    ? insideLookahead(inner, options, variables)
    : innerAlone(inner, variables);
}

/** @throws UsageError if one matches no weight. */
function checkOverridesMatch(
  overrides: readonly Override[],
  variables: readonly tf.Variable[],
): void {
  try {
    const matchers = overrides.map(({ weights }) => ({ weights: RegExp(weights) }));
    checkAllMatch('--override', matchers, variables);
  } catch (error) {
    throw new UsageError(reasonOf(error), { cause: error });
  }
}

function innerAlone(inner: WeightwiseOptimizer, variables: readonly tf.Variable[]): Trainer {
  return {
    async step(loss, wantsLoss) {
      const cost = inner.minimize(loss, wantsLoss, [...variables]);
      await inner.flush();
      return cost;
    },
    stats: () => undefined,
    withSlowWeights: async () => undefined,
    finish: async () => {},
    dispose: () => inner.dispose(),
  };
}

function insideLookahead(
  inner: WeightwiseOptimizer,
  options: TrainOptions,
  variables: readonly tf.Variable[],
): Trainer {
  const { syncPeriod, slowStepSize, innerState, slow, override, workers } = options;
  const optimizer = lookahead(inner, {
    syncPeriod,
    slowStepSize: slowStepSize === 'adaptive' ? adaptive({ min: ADAPTIVE_MIN }) : slowStepSize,
    innerState,
    slow,
    overrides: lookaheadOverrides(override),
    ...(workers === undefined ? {} : { workers }),
  });
  return {
    step: (loss, wantsLoss) => optimizer.step(loss, wantsLoss, [...variables]),
    stats() {
      const stats = optimizer.stats();
      const { syncs, syncMs, host } = stats;
      return {
        sync: syncRecordOf(stats),
        syncTotals: { syncs, totalMs: syncMs.total, phases: syncMs },
        lastSyncMs: syncs === 0 ? undefined : syncMs.last,
        host: { slowBytes: host.slowBytes, stagingBytes: host.stagingBytes },
      };
    },
    withSlowWeights: (work) => optimizer.withSlowWeights(work),
    finish: () => optimizer.finish(),
    dispose: () => optimizer.dispose(),
  };
}

function syncRecordOf(stats: LookaheadStats): SyncRecord {
  const { syncs, syncMs, bytesPulled, bytesPushed, workers } = stats;
  return {
    syncs,
    totalMs: syncMs.total,
    pullMs: syncMs.pull,
    blendMs: syncMs.blend,
    pushMs: syncMs.push,
    checkMs: syncMs.check,
    bytesPulled,
    bytesPushed,
    workers,
  };
}
