// What is trained, and with which moments.

import type { Moments } from '../../src/optimizers/step-options.js';

export interface Condition {
  readonly name: string;
  readonly data: 'mnist' | 'moby-dick';
  readonly steps: number;
  readonly batchSize: number;
  readonly learningRate: number;
  /** Half a cosine down to 0; else constant. */
  readonly anneals: boolean;
  readonly lookahead: boolean;
}

const MNIST = { data: 'mnist', batchSize: 128, learningRate: 1e-3, anneals: true } as const;
const MOBY_DICK = { data: 'moby-dick', batchSize: 16, learningRate: 3e-3, anneals: true } as const;

/** Adam, on the models of `slowlane train` in their full size; Lookahead with its defaults. */
export const CONDITIONS: readonly Condition[] = [
  { name: 'mnist', ...MNIST, steps: 2000, lookahead: false },
  {
    ...MNIST,
    name: 'mnist-constant',
    steps: 1000,
    batchSize: 32,
    anneals: false,
    lookahead: false,
  },
  { name: 'moby-dick', ...MOBY_DICK, steps: 400, lookahead: false },
  { name: 'mnist-lookahead', ...MNIST, steps: 1000, lookahead: true },
  { name: 'moby-dick-lookahead', ...MOBY_DICK, steps: 200, lookahead: true },
];

/** `control`: float32 moments and disturbed weights, what training by itself makes of next to nothing. */
export const CONTENDERS = ['f32', 'control', 'q8'] as const;
export type Contender = (typeof CONTENDERS)[number];

/** The control's initial weights are multiplied by 1 ± so much: 16 units in the last place of float32. */
export const DISTURBANCE = 1e-6;

export function momentsOf(contender: Contender): Moments {
  return contender === 'q8' ? 'device:q8' : 'device:f32';
}
