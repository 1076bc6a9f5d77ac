// If no policy fits: how much is missing, and what would help.

import { formatBytes } from '../checks/quantities.js';
import { checkpointed } from './activations.js';
import { INNER_NAMES } from '../optimizers/rules/names.js';
import { ruleOf } from './step-bytes.js';
import { type Budgets, doesFit, largestBatch } from './largest.js';
import type { Policy } from './policies.js';
import { policyBytes, type PolicyBytes, type Training } from './policy-bytes.js';

/** A change of the request after which something fits. */
export interface Remedy {
  /** The option to change. */
  readonly change: 'batchSize' | 'checkpoint' | 'inner' | 'vramBudget' | 'hostBudget';
  /** The value to give instead: bytes, examples or a name, as the option takes it. */
  readonly to: string | number;
  /** What the device needs after the change. */
  readonly neededDeviceBytes: number;
  /** The change in words. */
  readonly text: string;
}

/** How much the policy that lacks least is over the budgets. */
export interface Shortfall {
  /** The policy that lacks least. */
  readonly policy: Policy;
  /** Missing on the device; may be 0. */
  readonly deviceBytes: number;
  /** Missing on the host; may be 0. */
  readonly hostBytes: number;
  /** Each of them suffices by itself. The smallest change comes first. */
  readonly remedies: readonly Remedy[];
}

/** null if there are no `plans`. */
export function shortfallOf(
  plans: readonly (PolicyBytes & { readonly policy: Policy })[],
  training: Training,
  budgets: Budgets,
): Shortfall | null {
  const missing = plans.map((plan) => ({
    policy: plan.policy,
    deviceBytes: Math.max(0, plan.neededDeviceBytes - budgets.deviceBytes),
    hostBytes: Math.max(0, plan.hostBytes - budgets.hostBytes),
  }));
  const [closest] = missing.toSorted(
    (a, b) => a.deviceBytes + a.hostBytes - (b.deviceBytes + b.hostBytes),
  );
  if (closest === undefined) return null;
  return { ...closest, remedies: remediesFor(closest.policy, training, budgets) };
}

/** `policy` does not fit. */
function remediesFor(policy: Policy, training: Training, budgets: Budgets): Remedy[] {
  const remedies: Remedy[] = [];
  const add = (change: Remedy['change'], to: string | number, changed: Training, text: string) => {
    const bytes = policyBytes(policy, changed);
    if (!doesFit(bytes, budgets)) return;
    const { neededDeviceBytes } = bytes;
    const needs = `${formatBytes(neededDeviceBytes)} of VRAM`;
    remedies.push({ change, to, neededDeviceBytes, text: `${text} (${needs})` });
  };

  const batchSize = largestBatch(policy, training, budgets);
  if (batchSize !== null) {
    add('batchSize', batchSize, { ...training, batchSize }, `a batch of ${batchSize}`);
  }
  const layers = training.layers === null ? null : checkpointed(training.layers);
  if (layers !== null) {
    const blocks = 'activation checkpointing (checkpoint()) in blocks of √layers';
    add('checkpoint', 'blocks of √layers', { ...training, layers }, blocks);
  }
  for (let slots = training.rule.slots - 1; slots >= 0; slots--) {
    const name = INNER_NAMES.find((inner) => ruleOf(inner).slots === slots);
    if (name === undefined) continue;
    const text = `${name}, a rule with ${slots === 0 ? 'no slot' : 'one slot'} a weight`;
    add('inner', name, { ...training, rule: ruleOf(name) }, text);
  }
  const { neededDeviceBytes, hostBytes } = policyBytes(policy, training);
  const vram = `a VRAM budget of ${formatBytes(neededDeviceBytes)}`;
  const host = `a host budget of ${formatBytes(hostBytes)}`;
  if (neededDeviceBytes > budgets.deviceBytes) {
    const text = hostBytes > budgets.hostBytes ? `${vram} and ${host}` : vram;
    remedies.push({ change: 'vramBudget', to: neededDeviceBytes, neededDeviceBytes, text });
  } else {
    remedies.push({ change: 'hostBudget', to: hostBytes, neededDeviceBytes, text: host });
  }
  return remedies;
}
