// Gradients and moments of one step: what is on the device at a time, and what waits on the host.

import { packedBytes } from '../../workers/codecs/value-format.js';
import { isCoded, momentsPlace, type PlannedWeight, type Policy } from './policies.js';

/** What the update rule is to the planner. */
export interface PlannedRule {
  /** Each of the size of the weight. */
  readonly slots: number;
  /** True if slots in float32 take gradients of micro-batches; else one sum a weight does. */
  readonly takesGradients: boolean;
}

export interface StepBytes {
  /** With sums of micro-batches. */
  readonly gradients: number;
  /** Those that stay on the device, and of one weight those that visit it. */
  readonly moments: number;
  /** Freed buffers of sizes that serve nothing else at the peak. */
  readonly pool: number;
  /** Up and down, as slow weights. */
  readonly hostMoments: number;
  /** Both ways. */
  readonly busPerStep: number;
}

/** Sizes of buffers that one weight needs in a step. */
interface Needs {
  readonly gradient: number;
  /** The sum of micro-batches, if there is one. */
  readonly sum: number;
  readonly residentMoments: number;
  /** Up before the update, down after it. */
  readonly visitors: readonly number[];
  readonly trips: number;
}

const FLOAT_BYTES = 4;
/** Codes of a block; its scale is with those of the weight's other slots. */
const BLOCK = 256;
/** Tensors of a weight's size between its sum and its update: the sum with the last gradient, and their mean. */
const MEAN_TENSORS = 2;

/** `weights` are trained; `accumulate` micro-batches make a step. */
export function stepBytes(
  policy: Policy,
  weights: readonly PlannedWeight[],
  rule: PlannedRule,
  accumulate: number,
): StepBytes {
  const needs = weights.map(({ elements }) => needsOf(policy, elements, rule, accumulate));
  const largest = (size: (one: Needs) => number) =>
    needs.reduce((most, one) => Math.max(most, size(one)), 0);
  const total = (size: (one: Needs) => number) => needs.reduce((sum, one) => sum + size(one), 0);
  const gradients =
    (policy.gradients === 'keep'
      ? total(({ gradient }) => gradient)
      : largest(({ gradient }) => gradient)) +
    total(({ sum }) => sum) +
    MEAN_TENSORS * largest(({ sum }) => sum);
  const visiting = largest(({ visitors }) => sumOf(visitors));
  const atPeak = gradients + visiting;
  return {
    gradients,
    moments: total(({ residentMoments }) => residentMoments) + visiting,
    pool: Math.max(0, allocatedIn(policy, needs) - atPeak),
    hostMoments: 2 * total(({ visitors }) => sumOf(visitors)),
    busPerStep: 2 * total(({ visitors, trips }) => trips * sumOf(visitors)),
  };
}

function needsOf(
  { moments }: Policy,
  elements: number,
  { slots, takesGradients }: PlannedRule,
  accumulate: number,
): Needs {
  const gradient = FLOAT_BYTES * elements;
  const isRounded = isCoded(moments, elements);
  const sizes = isRounded ? codedSizes(elements, slots) : Array<number>(slots).fill(gradient);
  const waitsOnHost = momentsPlace(moments, elements) === 'host';
  const isInSlots = takesGradients && !isRounded;
  return {
    gradient,
    sum: accumulate > 1 && !isInSlots ? gradient : 0,
    residentMoments: waitsOnHost ? 0 : sumOf(sizes),
    visitors: waitsOnHost ? sizes : [],
    trips: isInSlots ? accumulate : 1,
  };
}

/** The codes of each slot, and the scales of all of them. */
function codedSizes(elements: number, slots: number): number[] {
  if (slots === 0) return [];
  const blocks = Math.ceil(elements / BLOCK);
  const scales = slots * (packedBytes('int8', elements) - blocks * BLOCK);
  return [...Array<number>(slots).fill(blocks * BLOCK), scales];
}

/** What is allocated by the end of a step: a freed buffer serves only what has its size. */
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
  for (const { gradient, sum, visitors } of needs) {
    const means = Array<number>(MEAN_TENSORS).fill(sum);
    const used = [...visitors, ...means, ...(gradients === 'keep' ? [] : [gradient])];
    used.forEach(take);
    used.forEach(give);
    give(sum);
    if (gradients === 'keep') give(gradient);
  }
  return allocated;
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
