// What the planner can choose from: where gradients, moments and slow weights live, and at how many bytes.
// The arithmetic of a policy may be here before the policy itself is: `AVAILABLE` lists those that exist, and
// one line there adds another.

import { packedBytes, type ValueFormat } from '../../workers/codecs/value-format.js';
import { checkChoice } from '../options.js';
import { type SlowFormat, valueFormat } from './slow-format.js';

/** One weight, as far as bytes are concerned. */
export interface PlannedWeight {
  readonly name: string;
  readonly shape: readonly number[];
  readonly elements: number;
  /** Weights that are not trained have no gradient, no moments and no slow weights. */
  readonly isTrained: boolean;
}

/** Where something waits while it is not used. */
export type Place = 'device' | 'host';

/** Weights of fewer elements keep float32 moments. */
const MIN_QUANTIZED_ELEMENTS = 4096;

const float32 = (elements: number) => packedBytes('f32', elements);
/** 8 bits an element and a float32 scale for each block of 256, which is always whole. */
const quantized = (elements: number) =>
  elements < MIN_QUANTIZED_ELEMENTS ? float32(elements) : packedBytes('int8', elements);

/** Bytes of one moment (slot) of a weight of so many elements. */
export const MOMENTS = {
  'device:f32': { at: 'device', bytesOf: float32 },
  'device:q8': { at: 'device', bytesOf: quantized },
  'host:f32': { at: 'host', bytesOf: float32 },
  'host:q8': { at: 'host', bytesOf: quantized },
} as const satisfies Record<string, { readonly at: Place; bytesOf(elements: number): number }>;

export type GradientsPolicy = 'keep' | 'release';
export type MomentsPolicy = keyof typeof MOMENTS;

export function slowPlace(slow: SlowFormat): Place {
  return slow.startsWith('device:') ? 'device' : 'host';
}

/** Small weights and those of one dimension stay float32, in every format. */
export function slowValueFormat(slow: SlowFormat, { shape }: PlannedWeight): ValueFormat {
  return valueFormat(slow, { shape, slot: null });
}

/** What lives where. */
export interface Policy {
  readonly gradients: GradientsPolicy;
  readonly moments: MomentsPolicy;
  readonly slow: SlowFormat;
}

/** What exists today, in the order of preference where nothing else decides: exact before rounded. */
export const AVAILABLE: {
  readonly moments: readonly MomentsPolicy[];
  readonly gradients: readonly GradientsPolicy[];
  readonly slow: readonly SlowFormat[];
} = {
  moments: [
    'device:f32', //
    'device:q8',
  ],
  gradients: ['keep', 'release'],
  slow: [
    'host:f32', //
    'host:f16r8',
    'host:f16',
    'host:bf16',
    'host:int8',
  ],
};

/** Slow weights in these cost accuracy (the others come within 0.5 % of float32): to be asked for. */
export const OPT_IN: readonly SlowFormat[] = ['host:bf16', 'host:int8'];

/**
 * The policies that exist, or those of them that `fixed` leaves. In this order where the bus decides nothing:
 * float32 moments before rounded ones; gradients kept before released, which takes no longer but knows no
 * `clipNorm`; float32 slow weights before packed ones.
 */
export function availablePolicies(fixed: Partial<Policy> = {}): Policy[] {
  const left = <K extends keyof Policy>(key: K): readonly Policy[K][] => {
    const given = fixed[key];
    return given === undefined ? (AVAILABLE[key] as readonly Policy[K][]) : [given];
  };
  return left('moments').flatMap((moments) =>
    left('gradients').flatMap((gradients) =>
      left('slow').map((slow) => ({ gradients, moments, slow })),
    ),
  );
}

/** Slots of each rule with its default options, each of the size of the weight. */
export const SLOTS = {
  sgd: 0,
  momentum: 1,
  rmsprop: 1,
  adagrad: 1,
  lion: 1,
  adam: 2,
  adamw: 2,
} as const satisfies Record<string, number>;

export type PlannedInner = keyof typeof SLOTS;
export const PLANNED_INNERS = Object.keys(SLOTS) as readonly PlannedInner[];

/** The parts of a policy that the caller decides; `given` holds other options too. */
export function checkFixed(given: Readonly<Record<string, unknown>>): Partial<Policy> {
  const { gradients, moments, slow } = given;
  return {
    ...(gradients === undefined
      ? {}
      : { gradients: checkChoice('gradients', gradients, AVAILABLE.gradients) }),
    ...(moments === undefined
      ? {}
      : { moments: checkChoice('moments', moments, AVAILABLE.moments) }),
    ...(slow === undefined ? {} : { slow: checkChoice('slow', slow, AVAILABLE.slow) }),
  };
}
