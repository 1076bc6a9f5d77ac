// What `bench fit` compares. Names and words only, so that --help loads no TensorFlow.js.

import {
  GRADIENT_LIFETIMES,
  type GradientLifetime,
  type Moments,
  MOMENTS,
} from '../../optimizers/step-options.js';

export interface FitPolicy {
  readonly name: string;
  readonly title: string;
  /** Null: tfjs's own Adam on tfjs's own backend. */
  readonly ours: { readonly gradients: GradientLifetime; readonly moments: Moments } | null;
  readonly lookahead: boolean;
}

const OURS = MOMENTS.flatMap((moments) =>
  GRADIENT_LIFETIMES.map((gradients): FitPolicy => ({
    name: `${gradients}+${moments}`,
    title: `lookahead(adam({ gradients: '${gradients}', moments: '${moments}' }))`,
    ours: { gradients, moments },
    lookahead: true,
  })),
);

export const FIT_POLICIES: readonly FitPolicy[] = [
  {
    name: 'tfjs-adam',
    title: "tf.train.adam on tfjs's own backend, no Lookahead",
    ours: null,
    lookahead: false,
  },
  {
    name: 'tfjs-adam-lookahead',
    title: 'the same with slow weights as variables on the device',
    ours: null,
    lookahead: true,
  },
  ...OURS,
];

export function fitPolicyNamed(name: string): FitPolicy {
  const policy = FIT_POLICIES.find((one) => one.name === name);
  if (policy !== undefined) return policy;
  const names = FIT_POLICIES.map((one) => one.name).join(', ');
  throw new RangeError(`There is no policy '${name}'. There is: ${names}.`);
}
