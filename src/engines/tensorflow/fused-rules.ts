/**
 * Which of our update rules TensorFlow has as one op that writes in place. Found by the formula itself, written out:
 * a rule whose formula is another, or becomes another, is none of these and runs as tensor operations.
 *
 * Equal up to rounding: TensorFlow writes m ← β m + (1 − β) g as m ← m + (1 − β)(g − m).
 */
import type { Algebra } from '../../formula/algebra.js';
import type { WeightUpdate } from '../../formula/weight-update.js';

type Scalars = WeightUpdate['scalars'];

/** An input of the op: a resource by the name of what it holds, the gradient, or a number of the step. */
export type FusedInput = string | number;

export interface FusedRule {
  readonly op: string;
  /** Attributes of the op beside its type, all of them boolean. */
  readonly flags: Readonly<Record<string, boolean>>;
  /** What the weight is multiplied with first, if anything. */
  keptShare?(x: Scalars): number;
  /** In the order of the op. */
  inputs(x: Scalars): readonly FusedInput[];
}

const MOMENTUM_STATE = 'm = ((m * momentum) + gradient)';
const ADAM_STATE =
  'm = ((m * beta1) + (gradient * oneMinusBeta1)); ' +
  'v = ((v * beta2) + (square(gradient) * oneMinusBeta2))';
const ADAM_MOVE = '((m / (sqrt((v / correction2)) + epsilon)) * stepSize)';

const RULES: Readonly<Record<string, FusedRule>> = {
  'weight = (weight - (gradient * learningRate))': {
    op: 'ResourceApplyGradientDescent',
    flags: {},
    inputs: (x) => ['weight', of(x, 'learningRate'), 'gradient'],
  },
  [`${MOMENTUM_STATE}; weight = (weight - (m * learningRate))`]: momentum(false),
  [`${MOMENTUM_STATE}; weight = (weight - ((gradient + (m * momentum)) * learningRate))`]:
    momentum(true),
  [`${ADAM_STATE}; weight = (weight - ${ADAM_MOVE})`]: adam(),
  [`${ADAM_STATE}; weight = ((weight * keptShare) - ${ADAM_MOVE})`]: {
    ...adam(),
    keptShare: ({ keptShare = NaN }) => keptShare,
  },
  'rms = ((rms * decay) + (square(gradient) * oneMinusDecay)); momentum = ((momentum * mu) + ((gradient / sqrt((rms + epsilon))) * learningRate)); weight = (weight - momentum)':
    {
      op: 'ResourceApplyRMSProp',
      flags: {},
      inputs: (x) => [
        'weight',
        'rms',
        'momentum',
        of(x, 'learningRate'),
        of(x, 'decay'),
        of(x, 'mu'),
        of(x, 'epsilon'),
        'gradient',
      ],
    },
};

/** Null where TensorFlow has no op for it. */
export function fusedRuleOf(formula: WeightUpdate['formula']): FusedRule | null {
  return RULES[written(formula)] ?? null;
}

function momentum(nesterov: boolean): FusedRule {
  return {
    op: 'ResourceApplyMomentum',
    flags: { use_nesterov: nesterov },
    inputs: (x) => ['weight', 'm', of(x, 'learningRate'), 'gradient', of(x, 'momentum')],
  };
}

/**
 * TensorFlow's: w ← w − γ √(1 − p₂) / (1 − p₁) · m / (√v + ε), with powers p of its own. With both 0 the corrections
 * are ours, in double precision; they go into γ and ε.
 */
function adam(): FusedRule {
  return {
    op: 'ResourceApplyAdam',
    flags: { use_nesterov: false },
    inputs(x) {
      const root = Math.sqrt(correction2(x));
      const { stepSize = NaN, epsilon = NaN } = x;
      return [
        'weight',
        'm',
        'v',
        0,
        0,
        stepSize * root,
        of(x, 'beta1'),
        of(x, 'beta2'),
        epsilon * root,
        'gradient',
      ];
    },
  };
}

/**
 * 1 − β₂ᵗ for the β₂ that the op computes with: it takes 1 − β₂ in float32, 5e-5 beside 0.001, and the moments of
 * the first steps are as much larger.
 */
function correction2({ beta2 = NaN, correction2 = NaN }: Scalars): number {
  if (beta2 === 0) return correction2;
  const taken = Math.fround(1 - Math.fround(beta2));
  return 1 - (1 - correction2) ** (Math.log1p(-taken) / Math.log(beta2));
}

function of(scalars: Scalars, name: string): FusedInput {
  return scalars[name] ?? NaN;
}

function written(formula: WeightUpdate['formula']): string {
  // The name of whatever is asked for.
  const operands = new Proxy<Record<string, string>>({}, { get: (_, name) => String(name) });
  return formula
    .map((assignment) => `${assignment.target} = ${assignment.value(operands, asText)}`)
    .join('; ');
}

const asText: Algebra<string> = {
  add: (a, b) => `(${a} + ${b})`,
  sub: (a, b) => `(${a} - ${b})`,
  mul: (a, b) => `(${a} * ${b})`,
  div: (a, b) => `(${a} / ${b})`,
  square: (a) => `square(${a})`,
  sqrt: (a) => `sqrt(${a})`,
  abs: (a) => `abs(${a})`,
  sign: (a) => `sign(${a})`,
};
