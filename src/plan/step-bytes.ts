// Bytes of gradients and moments in one step: the most on the device at a time, and those offloaded to the host.

import { BLOCK, blocksOf } from '../formula/quantization.js';
import { makeInner } from '../optimizers/rules/by-name.js';
import type { InnerName } from '../optimizers/rules/names.js';
import { type MomentPolicy, stateStorage } from '../optimizers/step-options.js';
import type { Plannable } from '../optimizers/step-policy.js';
import { sum as sumOf } from './activations.js';
import { momentsOf, type PlannedWeight, type Policy } from './policies.js';

/** What the bytes depend on in an update rule. */
export type PlannedRule = Pick<Plannable, 'slots' | 'takesGradients'>;

/** The rule with its default options. Its gradients are not clipped. */
export function ruleOf(name: InnerName): PlannedRule {
  const { slots, takesGradients } = makeInner(name).plannable();
  return { slots, takesGradients };
}

export interface StepBytes {
  /** Includes the sums of micro-batches. */
  readonly gradients: number;
  /** Those that stay on the device, and the offloaded ones of one weight while it is updated. */
  readonly moments: number;
  /** Freed buffers of sizes that nothing else needs at the peak. */
  readonly pool: number;
  /** Upload and download buffers together. */
  readonly hostMoments: number;
  /** Both directions together. */
  readonly busPerStep: number;
}

/** Sizes of the buffers that one weight needs in a step. */
interface Needs {
  readonly gradient: number;
  /** The sum of micro-batches; 0 if the slots take the gradients. */
  readonly sum: number;
  readonly residentMoments: number;
  /** Uploaded before the update, downloaded after it. */
  readonly offloaded: readonly number[];
  /** How often they cross the bus in each direction. */
  readonly trips: number;
}

const FLOAT_BYTES = 4;
/** Tensors of a weight's size between its sum and its update: the sum with the last gradient, and their mean. */
const MEAN_TENSORS = 2;

/** `weights` are trained; `accumulate` micro-batches make a step. */
export function stepBytes(
  policy: Policy,
  weights: readonly PlannedWeight[],
  rule: PlannedRule,
  accumulate: number,
): StepBytes {
  const needs = weights.map((weight) =>
    needsOf(momentsOf(policy, weight), weight, rule, accumulate),
  );
  const largest = (size: (one: Needs) => number) =>
    needs.reduce((most, one) => Math.max(most, size(one)), 0);
  const total = (size: (one: Needs) => number) => needs.reduce((sum, one) => sum + size(one), 0);
  const gradients =
    (policy.gradients === 'keep'
      ? total(({ gradient }) => gradient)
      : largest(({ gradient }) => gradient)) +
    total(({ sum }) => sum) +
    MEAN_TENSORS * largest(({ sum }) => sum);
  const moving = largest(({ offloaded }) => sumOf(offloaded));
  const atPeak = gradients + moving;
  return {
    gradients,
    moments: total(({ residentMoments }) => residentMoments) + moving,
    pool: Math.max(0, allocatedIn(policy, needs) - atPeak),
    hostMoments: 2 * total(({ offloaded }) => sumOf(offloaded)),
    busPerStep: 2 * total(({ offloaded, trips }) => trips * sumOf(offloaded)),
  };
}

function needsOf(
  moments: MomentPolicy,
  { elements }: PlannedWeight,
  { slots, takesGradients }: PlannedRule,
  accumulate: number,
): Needs {
  const gradient = FLOAT_BYTES * elements;
  const { isQuantized, isOnHost } = stateStorage(moments, elements);
  const sizes = isQuantized ? quantizedSizes(elements, slots) : Array<number>(slots).fill(gradient);
  const isInSlots = takesGradients && !isQuantized;
  return {
    gradient,
    sum: accumulate > 1 && !isInSlots ? gradient : 0,
    residentMoments: isOnHost ? 0 : sumOf(sizes),
    offloaded: isOnHost ? sizes : [],
    trips: isInSlots ? accumulate : 1,
  };
}

/** One buffer of bytes for each slot, and one buffer with the scales of all slots. */
function quantizedSizes(elements: number, slots: number): number[] {
  const blocks = blocksOf(elements);
  return [...Array<number>(slots).fill(blocks * BLOCK), slots * blocks * FLOAT_BYTES];
}

/** Bytes allocated by the end of a step. A freed buffer is reused only for the same size. */
function allocatedIn({ gradients }: Policy, needs: readonly Needs[]): number {
  const free = new Map<number, number>();
  let allocated = 0;
  const take = (bytes: number) => {
    const left = free.get(bytes) ?? 0;
    if (left > 0) free.set(bytes, left - 1);
    else allocated += bytes;
  };
  const give = (bytes: number) => free.set(bytes, (free.get(bytes) ?? 0) + 1);

  for (const { sum } of needs) take(sum);
  if (gradients === 'keep') for (const { gradient } of needs) take(gradient);
  for (const { gradient, sum, offloaded } of needs) {
    const means = Array<number>(MEAN_TENSORS).fill(sum);
    const used = [...offloaded, ...means, ...(gradients === 'keep' ? [] : [gradient])];
    used.forEach(take);
    used.forEach(give);
    give(sum);
    if (gradients === 'keep') give(gradient);
  }
  return allocated;
}
