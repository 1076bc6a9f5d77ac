// Which policy: the fastest that fits. And if none does, by how much, and what would help.

import { formatBytes } from '../checks/bytes.js';
import { checkpointed } from './activations.js';
import { policyBytes, type PolicyBytes, type Training } from './policy-bytes.js';
import { largestThat } from './search.js';
import { OPT_IN, type PlannedInner, type Policy, ruleOf, SLOTS } from './policies.js';

/** Infinity: no limit. */
export interface Budgets {
  readonly deviceBytes: number;
  readonly hostBytes: number;
}

/** One policy in a plan. */
export interface PolicyPlan extends PolicyBytes {
  readonly policy: Policy;
  readonly fits: boolean;
  /** By the speed of the bus alone, were nothing of it hidden; null: the speed is not known. */
  readonly extraMsPerStep: number | null;
}

/** One change of the request that helps. */
export interface Remedy {
  readonly change: 'batchSize' | 'checkpoint' | 'inner' | 'vramBudget' | 'hostBudget';
  /** What to change it to. */
  readonly to: string | number;
  /** What the device needs then. */
  readonly neededDeviceBytes: number;
  /** As a sentence. */
  readonly text: string;
}

/** How far the policy that comes closest is from fitting. */
export interface Shortfall {
  readonly policy: Policy;
  /** Missing on the device and on the host; one of them may be 0. */
  readonly deviceBytes: number;
  readonly hostBytes: number;
  /** Each is enough by itself, the smallest change first. */
  readonly remedies: readonly Remedy[];
}

export function planPolicies(
  policies: readonly Policy[],
  training: Training,
  budgets: Budgets,
  busBytesPerSecond: number | null,
): PolicyPlan[] {
  return policies.map((policy) => {
    const bytes = policyBytes(policy, training);
    return {
      policy,
      fits: doesFit(bytes, budgets),
      ...bytes,
      extraMsPerStep:
        busBytesPerSecond === null ? null : (1000 * bytes.bus.meanBytesPerStep) / busBytesPerSecond,
    };
  });
}

/**
 * The fastest that fits: the fewest bytes over the bus per step; among equals the first, and the order of
 * `plans` is that of `availablePolicies`: exact before rounded, kept before released. What is in `OPT_IN`
 * comes only where nothing else fits, or was left to choose from. Null: none fits.
 */
export function pickFastest(plans: readonly PolicyPlan[]): PolicyPlan | null {
  const fitting = plans.filter(({ fits }) => fits);
  const close = fitting.filter(({ policy }) => !OPT_IN.includes(policy.slow));
  const [first] = (close.length > 0 ? close : fitting).toSorted(
    (a, b) => a.bus.meanBytesPerStep - b.bus.meanBytesPerStep,
  );
  return first ?? null;
}

export function shortfallOf(
  plans: readonly PolicyPlan[],
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

/** The largest batch with which `policy` fits; null if none does, or if it isn't known what grows with it. */
export function largestBatch(policy: Policy, training: Training, budgets: Budgets): number | null {
  if (training.layers === null) return null;
  const fits = (batchSize: number) =>
    doesFit(policyBytes(policy, { ...training, batchSize }), budgets);
  if (!fits(1)) return null;
  // More examples never take fewer bytes, and with each more of them there are 4 for its input at least.
  return largestThat(fits, 1, Math.floor(budgets.deviceBytes / 4) + 1);
}

function remediesFor(policy: Policy, training: Training, budgets: Budgets): Remedy[] {
  const remedies: Remedy[] = [];
  const add = (change: Remedy['change'], to: string | number, changed: Training, text: string) => {
    const bytes = policyBytes(policy, changed);
    if (!doesFit(bytes, budgets)) return;
    const { neededDeviceBytes } = bytes;
    remedies.push({
      change,
      to,
      neededDeviceBytes,
      text: `${text} (${formatBytes(neededDeviceBytes)} of VRAM)`,
    });
  };

  const batchSize = largestBatch(policy, training, budgets);
  if (batchSize !== null && batchSize < training.batchSize) {
    add('batchSize', batchSize, { ...training, batchSize }, `a batch of ${batchSize}`);
  }
  const layers = training.layers === null ? null : checkpointed(training.layers);
  if (layers !== null) {
    const blocks = 'activation checkpointing (checkpoint()) in blocks of √layers';
    add('checkpoint', 'blocks of √layers', { ...training, layers }, blocks);
  }
  const leaner = Object.entries(SLOTS)
    .filter(([, slots]) => slots < training.rule.slots)
    .toSorted(([, a], [, b]) => b - a);
  // One name for each number of slots: momentum for one, sgd for none.
  for (const [name, slots] of leaner.filter(
    ([, slots], i) => leaner.findIndex(([, other]) => other === slots) === i,
  )) {
    const rule = ruleOf(name as PlannedInner);
    add('inner', name, { ...training, rule }, `${name}, a rule with ${slotsText(slots)} a weight`);
  }
  const { neededDeviceBytes, hostBytes } = policyBytes(policy, training);
  const lacks = {
    device: neededDeviceBytes > budgets.deviceBytes,
    host: hostBytes > budgets.hostBytes,
  };
  const vram = `a VRAM budget of ${formatBytes(neededDeviceBytes)}`;
  const host = `a host budget of ${formatBytes(hostBytes)}`;
  if (lacks.device) {
    const text = lacks.host ? `${vram} and ${host}` : vram;
    remedies.push({ change: 'vramBudget', to: neededDeviceBytes, neededDeviceBytes, text });
  } else if (lacks.host) {
    remedies.push({ change: 'hostBudget', to: hostBytes, neededDeviceBytes, text: host });
  }
  return remedies;
}

function slotsText(slots: number): string {
  if (slots === 0) return 'no slot';
  return slots === 1 ? 'one slot' : `${slots} slots`;
}

export function doesFit(bytes: PolicyBytes, budgets: Budgets): boolean {
  return bytes.neededDeviceBytes <= budgets.deviceBytes && bytes.hostBytes <= budgets.hostBytes;
}
