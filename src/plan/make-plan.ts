// A plan from checked numbers: every policy, the pick, and what is missing if there is none.

import type { Training } from './policy-bytes.js';
import {
  type Budgets,
  largestBatch,
  pickFastest,
  planPolicies,
  type PolicyPlan,
  type Shortfall,
  shortfallOf,
} from './choice.js';
import { largestModel } from './largest.js';
import { AVAILABLE, availablePolicies, type Policy } from './policies.js';

/** Immutable, down to the last number. */
export interface Plan {
  readonly parameters: number;
  /** The rule's name. */
  readonly inner: string;
  readonly batchSize: number;
  readonly accumulate: number;
  readonly syncPeriod: number;
  readonly vramBudgetBytes: number;
  /** Null: no limit. */
  readonly hostBudgetBytes: number | null;
  readonly busBytesPerSecond: number | null;
  /** The fastest policy that fits, null if none does. */
  readonly pick: PolicyPlan | null;
  /** All policies, or those that the request leaves. */
  readonly policies: readonly PlannedPolicy[];
  /** If nothing fits: by how much, and what would help. */
  readonly shortfall: Shortfall | null;
  /** Sentences: what was taken for granted, and what isn't counted. */
  readonly assumptions: readonly string[];
}

/** One policy, and how far it would go. */
export interface PlannedPolicy extends PolicyPlan {
  /** Parameters of the largest model within the budgets, in equal layers, with these activations. */
  readonly largestModel: number;
  /** The largest batch of this model; null if activations aren't known or nothing fits. */
  readonly largestBatch: number | null;
}

/** What `plan()` and a Lookahead with a budget ask for, checked. */
export interface PlanRequest {
  readonly inner: string;
  readonly training: Training;
  readonly budgets: Budgets;
  readonly busBytesPerSecond: number | null;
  /** What the planner does not decide. */
  readonly fixed: Partial<Policy>;
  /** Weights of the same size, for the largest model. */
  readonly layers: number;
  readonly assumptions: readonly string[];
}

export function makePlan(request: PlanRequest): Plan {
  const { inner, training, budgets, busBytesPerSecond, fixed, layers } = request;
  const [moments = 'device:f32'] = AVAILABLE.moments;
  // Without moments it doesn't matter where they would be.
  const policies = availablePolicies(training.rule.slots === 0 ? { ...fixed, moments } : fixed);
  const plans = planPolicies(policies, training, budgets, busBytesPerSecond);
  const pick = pickFastest(plans);
  return deepFrozen({
    parameters: training.weights.reduce((sum, { elements }) => sum + elements, 0),
    inner,
    batchSize: training.batchSize,
    accumulate: training.accumulate,
    syncPeriod: training.syncPeriod,
    vramBudgetBytes: budgets.deviceBytes,
    hostBudgetBytes: budgets.hostBytes === Infinity ? null : budgets.hostBytes,
    busBytesPerSecond,
    pick,
    policies: plans.map((one) => ({
      ...one,
      largestModel: largestModel(one.policy, training, {
        budgets,
        activationBytes: one.device.activations,
        layers,
      }),
      largestBatch: largestBatch(one.policy, training, budgets),
    })),
    shortfall: pick === null ? shortfallOf(plans, training, budgets) : null,
    assumptions: [
      ...request.assumptions,
      ...(training.accumulate > 1 && training.rule.takesGradients
        ? ['gradients that are not clipped: clipped ones are summed, in 4 bytes an element']
        : []),
    ],
  });
}

function deepFrozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const part of Object.values(value)) deepFrozen(part);
  return Object.freeze(value);
}
