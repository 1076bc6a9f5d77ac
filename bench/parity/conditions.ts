// What is trained, and with which moments.

import type { MomentPolicy } from '../../src/optimizers/step-options.js';
import type { Condition } from './record.js';

const MNIST = { data: 'mnist', steps: 1000, batchSize: 128, learningRate: 1e-3 } as const;
const MOBY_DICK = { data: 'moby-dick', steps: 150, batchSize: 8, learningRate: 3e-3 } as const;

/** Adam, on the models of `slowlane train` in their full size; Lookahead with its defaults. */
export const CONDITIONS: readonly Condition[] = [
  { ...MNIST, name: 'mnist', anneals: true, lookahead: false },
  { ...MOBY_DICK, name: 'moby-dick', anneals: true, lookahead: false },
  { ...MNIST, name: 'mnist-constant', batchSize: 32, anneals: false, lookahead: false },
  { ...MNIST, name: 'mnist-lookahead', anneals: true, lookahead: true },
  { ...MOBY_DICK, name: 'moby-dick-lookahead', anneals: true, lookahead: true },
];

/** `control`: float32 moments and disturbed weights, what training by itself makes of next to nothing. */
export const CONTENDERS = ['f32', 'control', 'q8'] as const;
export type Contender = (typeof CONTENDERS)[number];

/** The control's initial weights are multiplied by 1 ± so much: 16 units in the last place of float32. */
export const DISTURBANCE = 1e-6;

export function momentsOf(contender: Contender): MomentPolicy {
  return contender === 'q8' ? 'device:q8' : 'device:f32';
}
