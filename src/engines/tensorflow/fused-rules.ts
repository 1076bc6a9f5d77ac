/**
 * The update rules that TensorFlow has as one op that writes in place, found by their name and constants. Every rule is
 * compared with its formula by a test; a rule that is not here runs as tensor operations.
 *
 * Equal up to rounding: TensorFlow writes m ← β m + (1 − β) g as m ← m + (1 − β)(g − m).
 */
import type { RuleConstants } from '../../formula/update-rule.js';
import type { WeightUpdate } from '../../formula/weight-update.js';

type Scalars = WeightUpdate['scalars'];

/** An input of the op: a resource by the name of what it holds, the gradient, or a number of the step. */
export type FusedInput = string | number;

export interface FusedRule {
  readonly op: string;
  /** Boolean attributes of the op, except its type. */
  readonly flags: Readonly<Record<string, boolean>>;
  /** The share of the weight that is taken away beside what the op takes, if there is one. */
  decayShare?(x: Scalars): number;
  /** In the order of the op. */
  inputs(x: Scalars): readonly FusedInput[];
}

/** Null where TensorFlow has no op for the update. */
export function fusedRuleOf(rule: WeightUpdate['rule']): FusedRule | null {
  return rule === null ? null : (RULES[rule.name]?.(rule.constants) ?? null);
}

const DESCENT: FusedRule = {
  op: 'ResourceApplyGradientDescent',
  flags: {},
  inputs: ({ learningRate = NaN }) => ['weight', learningRate, 'gradient'],
};

function momentum(nesterov: boolean): FusedRule {
  return {
    op: 'ResourceApplyMomentum',
    flags: { use_nesterov: nesterov },
    inputs: ({ learningRate = NaN, momentum = NaN }) => [
      'weight',
      'm',
      learningRate,
      'gradient',
      momentum,
    ],
  };
}

/**
 * TensorFlow computes w ← w − γ √(1 − p₂) / (1 − p₁) · m / (√v + ε), with powers p of its own. With both 0 the corrections
 * are ours, in double precision; they go into γ and ε.
 */
const ADAM: FusedRule = {
  op: 'ResourceApplyAdam',
  flags: { use_nesterov: false },
  inputs(x) {
    const root = Math.sqrt(correction2(x));
    const { stepSize = NaN, beta1 = NaN, beta2 = NaN, epsilon = NaN } = x;
    return ['weight', 'm', 'v', 0, 0, stepSize * root, beta1, beta2, epsilon * root, 'gradient'];
  },
};

/**
 * 1 − β₂ᵗ for the β₂ that the op computes with: it takes 1 − β₂ in float32, 5e-5 beside 0.001, and the moments of
 * the first steps are as much larger.
 */
function correction2({ beta2 = NaN, correction2 = NaN }: Scalars): number {
  if (beta2 === 0) return correction2;
  const taken = Math.fround(1 - Math.fround(beta2));
  return 1 - (1 - correction2) ** (Math.log1p(-taken) / Math.log(beta2));
}

const RMSPROP: FusedRule = {
  op: 'ResourceApplyRMSProp',
  flags: {},
  inputs({ learningRate = NaN, decay = NaN, mu = NaN, epsilon = NaN }) {
    return ['weight', 'rms', 'momentum', learningRate, decay, mu, epsilon, 'gradient'];
  },
};

const RULES: Readonly<Record<string, (constants: RuleConstants) => FusedRule | null>> = {
  sgd: () => DESCENT,
  momentum: ({ nesterov }) => momentum(nesterov === true),
  adam: () => ADAM,
  adamw: () => ({ ...ADAM, decayShare: ({ decayShare = NaN }) => decayShare }),
  rmsprop: ({ momentum, centered }) => (Number(momentum) > 0 && centered !== true ? RMSPROP : null),
};
