// The options of a Lookahead that plans by itself, checked at the door: a budget, and what the plan counts with.

import { checkNumber } from '../checks/check.js';
import { parseBytes } from '../checks/bytes.js';

export interface BudgetOptions {
  /**
   * With a budget (`'4GiB'`, bytes), what `gradients`, `moments` and `slow` leave open is planned when weights are
   * first seen: the fastest that fits, or OVER_BUDGET. `'auto'`: the budget of `startWebGPU`.
   */
  vramBudget?: number | string;
  /** For slow weights and moments that wait on the host. Default: no limit. */
  hostBudget?: number | string;
  /** Examples in a batch, of a model given to `attach()`. Default: what `fit` was given, else 32. */
  batchSize?: number;
  /** What activations and their gradients take, if you have measured it; instead of what the model's layers tell. */
  activationBytes?: number | string;
}

/** Null: not given. */
export interface BudgetSettings {
  readonly vramBudget: number | 'auto';
  readonly hostBudget: number | null;
  readonly batchSize: number | null;
  readonly activationBytes: number | null;
}

export const BUDGET_KEYS = ['vramBudget', 'hostBudget', 'batchSize', 'activationBytes'] as const;

/** Null without a `vramBudget`. */
export function checkBudget(options: BudgetOptions | undefined): BudgetSettings | null {
  const { vramBudget, hostBudget, batchSize, activationBytes } = options ?? {};
  if (vramBudget === undefined) {
    const alone = BUDGET_KEYS.find((key) => options?.[key] !== undefined);
    if (alone === undefined) return null;
    throw new TypeError(
      `${alone} is for the plan that vramBudget asks for, and there is none. Give vramBudget: '4GiB' too, or leave ${alone} out.`,
    );
  }
  const bytesOf = (name: string, value: unknown) =>
    value === undefined ? null : parseBytes(name, value);
  return {
    vramBudget: vramBudget === 'auto' ? vramBudget : parseBytes('vramBudget', vramBudget),
    hostBudget: bytesOf('hostBudget', hostBudget),
    batchSize:
      batchSize === undefined
        ? null
        : checkNumber('batchSize', batchSize, { min: 1, max: 2 ** 31 - 1, whole: true }),
    activationBytes: bytesOf('activationBytes', activationBytes),
  };
}
