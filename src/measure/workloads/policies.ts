// What the benchmarks compare, and where. Names and words only, so that --help loads no TensorFlow.js.

import {
  GRADIENT_LIFETIMES,
  type GradientLifetime,
  type MomentPolicy,
  MOMENT_POLICIES,
} from '../../optimizers/step-options.js';
import { MODEL_NAMES } from '../../models/names.js';
import { type SlowFormat, SLOW_FORMATS, valueFormat } from '../../slow/slow-format.js';

/** Engines of `slowlane bench`. */
export const BENCH_ENGINES = ['webgpu', 'wasm', 'cpu', 'tensorflow'] as const;
export type BenchEngine = (typeof BENCH_ENGINES)[number];

/** Dense layers, as large as one wants them, and the models of `slowlane train`. */
export const WORKLOAD_NAMES = ['stack', ...MODEL_NAMES] as const;
export type WorkloadName = (typeof WORKLOAD_NAMES)[number];

/** Of slow weights. `variables`: as one writes it without slowlane, in plain ops on the device. */
export type SlowPlace = SlowFormat | 'variables';

export const SLOW_PLACES: readonly SlowPlace[] = [...SLOW_FORMATS, 'variables'];

/** In host memory: what goes over the bus. */
export const HOST_FORMATS = SLOW_FORMATS.filter((format) => format.startsWith('host:'));

/** False where layers of this width would be kept in float32 under another name. */
export function isQuantized(slow: SlowPlace, width: number): boolean {
  if (slow === 'variables' || slow.endsWith(':f32')) return true;
  return valueFormat(slow, { shape: [width, width], slot: null }) !== 'f32';
}

export interface BenchPolicy {
  readonly name: string;
  readonly title: string;
  /** Null: tfjs's own Adam on tfjs's own backend. */
  readonly ours: { readonly gradients: GradientLifetime; readonly moments: MomentPolicy } | null;
  /** Null: no Lookahead. `variables`: as one writes it without slowlane, in plain ops on the device. */
  readonly slow: 'variables' | 'host' | null;
}

const TFJS: readonly BenchPolicy[] = [
  {
    name: 'tfjs-adam',
    title: "tf.train.adam on tfjs's own backend, no Lookahead",
    ours: null,
    slow: null,
  },
  {
    name: 'tfjs-adam-lookahead',
    title: 'the same with slow weights as variables on the device',
    ours: null,
    slow: 'variables',
  },
];

/** What Lookahead itself takes is seen against these. */
const OUR_BASELINES: readonly BenchPolicy[] = [
  ...GRADIENT_LIFETIMES.map((gradients): BenchPolicy => ({
    name: `${gradients}-adam`,
    title: `adam({ gradients: '${gradients}' }), no Lookahead`,
    ours: { gradients, moments: 'device:f32' },
    slow: null,
  })),
  {
    name: 'keep-adam-lookahead',
    title: "adam({ gradients: 'keep' }), slow weights as variables on the device",
    ours: { gradients: 'keep', moments: 'device:f32' },
    slow: 'variables',
  },
];

const OURS = MOMENT_POLICIES.flatMap((moments) =>
  GRADIENT_LIFETIMES.map((gradients): BenchPolicy => ({
    name: `${gradients}+${moments}`,
    title: `lookahead(adam({ gradients: '${gradients}', moments: '${moments}' }))`,
    ours: { gradients, moments },
    slow: 'host',
  })),
);

export const FIT_POLICIES: readonly BenchPolicy[] = [...TFJS, ...OURS];
export const ALL_POLICIES: readonly BenchPolicy[] = [...TFJS, ...OUR_BASELINES, ...OURS];

/** Why `engine` has no such policy; null where it has it. */
export function lacksPolicy(engine: BenchEngine, { ours }: BenchPolicy): string | null {
  if (engine === 'webgpu' || ours === null || ours.moments.startsWith('device:')) return null;
  if (engine === 'tensorflow') return 'moments on the host need WebGPU';
  return `device and host are one memory there, and ${ours.moments.replace('host', 'device')} is the same`;
}

export function policyNamed(name: string): BenchPolicy {
  const policy = ALL_POLICIES.find((one) => one.name === name);
  if (policy !== undefined) return policy;
  const names = ALL_POLICIES.map((one) => one.name).join(', ');
  throw new RangeError(`There is no policy '${name}'. There is: ${names}.`);
}
