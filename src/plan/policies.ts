// What the planner can choose from: where gradients, moments and slow weights live.

import type { ValueFormat } from '../../workers/codecs/value-format.js';
import { checkChoice } from '../checks/check.js';
import { type SlowFormat, valueFormat } from '../slow/slow-format.js';

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

/** Weights of fewer elements keep float32 moments on the device. */
const MIN_MOVED_ELEMENTS = 4096;

/** Where moments wait, and whether they are in 8 bits. */
const MOMENTS = {
  'device:f32': { at: 'device', isRounded: false },
  'device:q8': { at: 'device', isRounded: true },
  'host:f32': { at: 'host', isRounded: false },
  'host:q8': { at: 'host', isRounded: true },
} as const satisfies Record<string, { readonly at: Place; readonly isRounded: boolean }>;

export type GradientsPolicy = 'keep' | 'release';
export type MomentsPolicy = keyof typeof MOMENTS;

/** Of a weight of so many elements. */
export function momentsPlace(moments: MomentsPolicy, elements: number): Place {
  return elements < MIN_MOVED_ELEMENTS ? 'device' : MOMENTS[moments].at;
}

/** True if a weight of so many elements has its moments in 8 bits. */
export function isCoded(moments: MomentsPolicy, elements: number): boolean {
  return elements >= MIN_MOVED_ELEMENTS && MOMENTS[moments].isRounded;
}

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

/** In the order of preference where nothing else decides: exact before rounded, on the device before on the host. */
export const AVAILABLE: {
  readonly moments: readonly MomentsPolicy[];
  readonly gradients: readonly GradientsPolicy[];
  readonly slow: readonly SlowFormat[];
} = {
  moments: ['device:f32', 'device:q8', 'host:f32', 'host:q8'],
  gradients: ['keep', 'release'],
  slow: ['host:f32', 'host:f16r8', 'host:f16', 'host:bf16', 'host:int8', 'device:f32'],
};

/**
 * Picked only where nothing else fits, or if asked for. bf16 and int8 cost accuracy; the others come within
 * 0.5 % of float32. `device:f32` is exact and needs no bus, so that counting bytes on the bus alone would have
 * it wherever it fits, and round moments to 8 bits to make it fit. But it takes 4 bytes a parameter, which
 * would be a larger batch or model, for a transfer that runs beside the steps; it is there to compare with,
 * and for a host without memory.
 */
export const OPT_IN: readonly SlowFormat[] = ['host:bf16', 'host:int8', 'device:f32'];

/**
 * The policies, or those of them that `fixed` leaves. In this order where the bus decides nothing:
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

/** As in src/optimizers, with its default options and gradients that are not clipped. */
const TAKE_GRADIENTS: readonly PlannedInner[] = ['momentum', 'adam', 'adamw'];

export function ruleOf(inner: PlannedInner): {
  readonly slots: number;
  readonly takesGradients: boolean;
} {
  return { slots: SLOTS[inner], takesGradients: TAKE_GRADIENTS.includes(inner) };
}

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
