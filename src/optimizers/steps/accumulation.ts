/**
 * Rules that begin with a running mean of gradients take those of micro-batches straight into it, which costs
 * no memory. For Adam that is AdamA (Zhang et al., "Adam Accumulation to Reduce Memory Footprints of both
 * Activations and Gradients for Large-scale DNN Training", arXiv 2305.19982). With gradients gᵢ of n
 * micro-batches
 *
 *   m ← β₁ m + (1 − β₁) Σ gᵢ/n        v ← β₂ v + (1 − β₂) Σ (gᵢ/n)²
 *
 * so m is Adam's, and v is Adam's only if the gᵢ are independent around 0: not the numbers of one large batch.
 */
import type { Assignment, RuleConstants, UpdateRule } from '../../formula/update-rule.js';

type Scalars = Readonly<Record<string, number>>;

/** Which part of a step a micro-batch is, for one weight. */
export interface Share {
  /** The first that gives this weight a gradient. */
  readonly isFirst: boolean;
  /** Micro-batches of a step. */
  readonly of: number;
}

export interface Accumulation {
  /** Of the last micro-batch. */
  readonly formula: readonly Assignment[];
  /** Of the others: all but the weight's assignment. */
  readonly stateFormula: readonly Assignment[];
  /** The numbers of one micro-batch, from those of the whole step. */
  readonly scalars: (step: Scalars, share: Share) => Scalars;
}

/** null: the rule needs the mean of all gradients. */
export function accumulationOf(rule: UpdateRule, constants: RuleConstants): Accumulation | null {
  const formula = rule.formula(constants);
  const stateFormula = formula.filter(({ target }) => target !== 'weight');
  switch (rule.name) {
    case 'adam':
    case 'adamw':
      return { formula, stateFormula, scalars: adamShare };
    case 'momentum': {
      // Nesterov's weight needs the gradient beside m.
      if (constants['nesterov'] === true) return null;
      const weight = formula.filter(({ target }) => target === 'weight');
      return {
        formula: [MOMENTUM, ...weight],
        stateFormula: [MOMENTUM],
        scalars: momentumShare,
      };
    }
    default:
      return null;
  }
}

/** Moments decay with the first gradient of a step; each gradient adds its share. */
function adamShare(step: Scalars, { isFirst, of }: Share): Scalars {
  const { beta1 = NaN, oneMinusBeta1 = NaN, beta2 = NaN, oneMinusBeta2 = NaN } = step;
  return {
    ...step,
    beta1: isFirst ? beta1 : 1,
    oneMinusBeta1: oneMinusBeta1 / of,
    beta2: isFirst ? beta2 : 1,
    oneMinusBeta2: oneMinusBeta2 / of ** 2,
  };
}

function momentumShare(step: Scalars, { isFirst, of }: Share): Scalars {
  return { ...step, momentum: isFirst ? (step['momentum'] ?? NaN) : 1, share: 1 / of };
}

const MOMENTUM: Assignment<'m', 'momentum' | 'share'> = {
  target: 'm',
  value: (x, o) => o.add(o.mul(x.m, x.momentum), o.mul(x.gradient, x.share)),
};
