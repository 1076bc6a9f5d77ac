// What the planner can choose from: where gradients, moments and slow weights are kept, and in which precision.

import type * as tf from '@tensorflow/tfjs-core';

import { checkChoice } from '../checks/check.js';
import {
  GRADIENT_LIFETIMES,
  type GradientLifetime,
  type MomentPolicy,
  MOMENT_POLICIES,
} from '../optimizers/step-options.js';
import { SLOW_FORMATS, type SlowFormat } from '../slow/slow-format.js';

/** Where things are kept, and when gradients are freed. */
export interface Policy {
  /** The lifetime of gradients. */
  readonly gradients: GradientLifetime;
  /** How moments are kept. */
  readonly moments: MomentPolicy;
  /** How slow weights are kept. */
  readonly slow: SlowFormat;
}

/** What overrides set for one weight. The plan chooses the rest. */
export interface WeightPolicy {
  readonly moments?: MomentPolicy;
  /** null: excluded from Lookahead, so the weight has no slow values. */
  readonly slow?: SlowFormat | null;
}

/** One weight, as far as bytes are concerned. */
export interface PlannedWeight {
  readonly name: string;
  readonly shape: readonly number[];
  readonly elements: number;
  /** Weights that are not trained have no gradient, no moments and no slow values. */
  readonly isTrained: boolean;
  readonly own?: WeightPolicy;
  /** Absent where only the shape is known. */
  readonly variable?: tf.Variable;
}

/** The choices of each part. Where the bytes on the bus decide nothing, an earlier choice is preferred. */
export const CHOICES = {
  moments: MOMENT_POLICIES,
  gradients: GRADIENT_LIFETIMES,
  slow: SLOW_FORMATS,
} as const;

/**
 * Picked only where nothing else fits, or if the caller asks for them. bf16 and int8 cost accuracy; the other
 * formats end within 0.5 % of float32. `device:f32` is exact and needs no bus. Counting only bytes on the bus, the
 * planner would pick it wherever it fits, and quantize moments to make it fit. But it takes 4 bytes per parameter,
 * which a larger batch or model could use, and saves only a transfer that runs beside the steps.
 */
export const OPT_IN: readonly SlowFormat[] = ['host:bf16', 'host:int8', 'device:f32'];

/**
 * All policies that `fixed` allows, the preferred ones first: float32 moments before quantized ones; kept
 * gradients before released ones, which are as fast but exclude `clipNorm`; exact slow weights before rounded ones.
 */
export function availablePolicies(fixed: Partial<Policy> = {}): Policy[] {
  const left = <T>(given: T | undefined, choices: readonly T[]) =>
    given === undefined ? choices : [given];
  return left(fixed.moments, CHOICES.moments).flatMap((moments) =>
    left(fixed.gradients, CHOICES.gradients).flatMap((gradients) =>
      left(fixed.slow, CHOICES.slow).map((slow) => ({ gradients, moments, slow })),
    ),
  );
}

/** The parts of a policy that the caller decides. `given` holds other options too. */
export function checkFixed(given: Readonly<Record<string, unknown>>): Partial<Policy> {
  const parts = Object.entries(CHOICES).filter(([key]) => given[key] !== undefined);
  return Object.fromEntries(
    parts.map(([key, choices]) => [key, checkChoice<string>(key, given[key], choices)]),
  );
}

export function momentsOf(policy: Policy, { own }: PlannedWeight): MomentPolicy {
  return own?.moments ?? policy.moments;
}

/** null: the weight has no slow values. */
export function slowOf(policy: Policy, { own }: PlannedWeight): SlowFormat | null {
  return own?.slow === undefined ? policy.slow : own.slow;
}
