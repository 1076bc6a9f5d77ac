// A plan from checked numbers: the bytes of every policy, the pick, and what is missing if nothing fits.

import { type Budgets, doesFit, largestBatch, largestModel } from './largest.js';
import type { DescribedOverride } from './overrides.js';
import { availablePolicies, OPT_IN, type Policy } from './policies.js';
import { policyBytes, type PolicyBytes, type Training } from './policy-bytes.js';
import { type Shortfall, shortfallOf } from './shortfall.js';

/** Immutable, including everything in it. */
export interface Plan {
  /** Number of parameters of the model. */
  readonly parameters: number;
  /** The name of the inner optimizer. */
  readonly inner: string;
  /** Examples per batch, with `accumulate` per micro-batch. */
  readonly batchSize: number;
  /** Micro-batches per step. */
  readonly accumulate: number;
  /** Steps between syncs. */
  readonly syncPeriod: number;
  /** What the request sets for some weights. `policies` and `pick` say what is chosen for the others. */
  readonly overrides: readonly DescribedOverride[];
  /** The budget of the device. */
  readonly vramBudgetBytes: number;
  /** The budget of the host; null without a limit. */
  readonly hostBudgetBytes: number | null;
  /** The speed of the bus; null if it is not known. */
  readonly busBytesPerSecond: number | null;
  /** The fastest policy that fits; null if none does. One of `policies`. */
  readonly pick: PlannedPolicy | null;
  /** All policies that the request allows. */
  readonly policies: readonly PlannedPolicy[];
  /** If nothing fits: how much is missing, and what would help. */
  readonly shortfall: Shortfall | null;
  /** Sentences: what the plan assumes, and what it does not count. */
  readonly assumptions: readonly string[];
}

/** What one policy takes, and how large a model and a batch it would allow. */
export interface PlannedPolicy extends PolicyBytes {
  /** What the policy is. */
  readonly policy: Policy;
  /** True if it fits in both budgets. */
  readonly fits: boolean;
  /** Time on the bus if none of it were hidden. null: the speed of the bus is not known. */
  readonly extraMsPerStep: number | null;
  /** Parameters of the largest model within the budgets: equal weights without overrides, the same activations. */
  readonly largestModel: number;
  /** The largest batch of this model. null if activations are not known, or if no batch fits. */
  readonly largestBatch: number | null;
}

/** What `plan()` and a Lookahead with a budget ask for. All of it is checked. */
export interface PlanRequest {
  readonly inner: string;
  readonly training: Training;
  readonly budgets: Budgets;
  readonly busBytesPerSecond: number | null;
  /** The parts that the caller decides. */
  readonly fixed: Partial<Policy>;
  readonly overrides: readonly DescribedOverride[];
  /** The number of equal weights in the largest model. */
  readonly layers: number;
  readonly assumptions: readonly string[];
}

export function makePlan(request: PlanRequest): Plan {
  const { inner, training, budgets, busBytesPerSecond, overrides } = request;
  const policies = policiesOf(request).map((policy) => planPolicy(policy, request));
  const pick = pickFastest(policies);
  return deepFrozen({
    parameters: training.weights.reduce((sum, { elements }) => sum + elements, 0),
    inner,
    batchSize: training.batchSize,
    accumulate: training.accumulate,
    syncPeriod: training.syncPeriod,
    overrides,
    vramBudgetBytes: budgets.deviceBytes,
    hostBudgetBytes: budgets.hostBytes === Infinity ? null : budgets.hostBytes,
    busBytesPerSecond,
    pick,
    policies,
    shortfall: pick === null ? shortfallOf(policies, training, budgets) : null,
    assumptions: [
      ...request.assumptions,
      ...(training.accumulate > 1 && training.rule.takesGradients
        ? ['gradients that are not clipped: clipped ones are summed, in 4 bytes an element']
        : []),
    ],
  });
}

function policiesOf({ training, fixed }: PlanRequest): Policy[] {
  // Without slots it makes no difference where they would be kept.
  const moments = training.rule.slots === 0 ? { moments: 'device:f32' as const } : {};
  return availablePolicies({ ...fixed, ...moments });
}

function planPolicy(policy: Policy, request: PlanRequest): PlannedPolicy {
  const { training, budgets, busBytesPerSecond, layers } = request;
  const bytes = policyBytes(policy, training);
  return {
    policy,
    fits: doesFit(bytes, budgets),
    ...bytes,
    extraMsPerStep:
      busBytesPerSecond === null ? null : (1000 * bytes.bus.meanBytesPerStep) / busBytesPerSecond,
    largestModel: largestModel(policy, training, budgets, {
      activationBytes: bytes.device.activations,
      layers,
    }),
    largestBatch: largestBatch(policy, training, budgets),
  };
}

/**
 * The policy that fits and moves the fewest bytes over the bus per step. Among equals the first one: `policies`
 * come in order of preference. Those in `OPT_IN` are picked only if no other fits. null: none fits.
 */
function pickFastest(policies: readonly PlannedPolicy[]): PlannedPolicy | null {
  const fitting = policies.filter(({ fits }) => fits);
  const usual = fitting.filter(({ policy }) => !OPT_IN.includes(policy.slow));
  const [first] = (usual.length > 0 ? usual : fitting).toSorted(
    (a, b) => a.bus.meanBytesPerStep - b.bus.meanBytesPerStep,
  );
  return first ?? null;
}

function deepFrozen<T>(value: T): T {
  if (Object.isFrozen(value)) return value; // as null and everything that is no object are
  for (const part of Object.values(value as object)) deepFrozen(part);
  return Object.freeze(value);
}
