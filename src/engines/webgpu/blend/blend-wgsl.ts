/**
 * The kernels that move slow weights: one part of a variable and of a piece each.
 *
 * - blend: slow ← slow + α(fast − slow), rounded to its format; fast ← the same before that rounding, so that
 *   only what is stored is coarse (what is lost there is carried on by the fast weights);
 * - capture: slow ← fast; restore: fast ← slow.
 *
 * In float32, where the host computes in double precision and rounds once. So a blend may differ from the
 * host's by the roundings of the difference, of its product with α and of the sum: by one unit in the last
 * place of the result and 2⁻²² of |fast − slow|. Beyond 1e38, where the difference could overflow, by a
 * few units of the larger one; a device may take subnormal numbers for 0. α = 0, α = 1 and fast = slow are exact.
 */
import { GROUPS, type ValueFormat } from '../../../../workers/codecs/value-format.js';
import { CODEC_WGSL } from './codec-wgsl.js';
import { declared, entryPoint } from '../update/kernel.js';
import { WORKGROUP_SIZE } from '../update/update-wgsl.js';

export type BlendOp = 'blend' | 'capture' | 'restore';

export interface BlendKernelSpec {
  readonly op: BlendOp;
  readonly format: ValueFormat;
  /** True if the part's length is a multiple of 4: then an invocation moves four elements. */
  readonly byFour: boolean;
}

/** Elements that an invocation moves. */
export function elementsPerInvocation({ format, byFour }: BlendKernelSpec): number {
  return format === 'f32' && !byFour ? 1 : 4;
}

/** Invocations in a workgroup: one block of int8 has to agree on its largest magnitude. */
export function workgroupSize({ format }: BlendKernelSpec): number {
  return format === 'int8' ? GROUPS.int8.elements / 4 : WORKGROUP_SIZE;
}

/** Bytes of the uniform: length, block, item, round (u32), step size (f32), and padding. */
export const NUMBERS_BYTES = 32;

/** Its content. `start`: the part's first element within the variable, a multiple of 4. */
export function blendNumbers(
  into: DataView,
  part: { length: number; start: number; item: number; round: number; stepSize: number },
): void {
  into.setUint32(0, part.length, true);
  into.setUint32(4, part.start / 4, true);
  into.setUint32(8, part.item, true);
  into.setUint32(12, part.round, true);
  into.setFloat32(16, part.stepSize, true);
}

export function blendKernelSource(spec: BlendKernelSpec): string {
  const lanes = elementsPerInvocation(spec);
  const readsSlow = spec.op !== 'capture';
  const readsFast = spec.op !== 'restore';
  const slow = slowAccess(spec);
  const fast = fastAccess(spec);
  const each = (line: (lane: number) => string) => Array.from({ length: lanes }, (_, l) => line(l));
  const result = {
    blend: (l: number) => `blended(s${l}, f${l}, numbers.step_size)`,
    capture: (l: number) => `f${l}`,
    restore: (l: number) => `s${l}`,
  }[spec.op];
  const body = [
    `let i = (group.y * grid.x + group.x) * ${workgroupSize(spec)}u + lane;`,
    // A workgroup with a barrier stays together; what lies behind the end is zero there.
    ...(spec.format === 'int8' ? [] : [`if (i * ${lanes}u >= numbers.length) { return; }`]),
    ...(readsSlow ? [...slow.load, ...each((l) => `let s${l} = ${slow.lane(l)};`)] : []),
    ...(readsFast ? [...fast.load, ...each((l) => `let f${l} = ${fast.lane(l)};`)] : []),
    ...each((l) => `let r${l} = ${result(l)};`),
    ...(spec.op === 'restore' ? [] : slow.store),
    ...(spec.op === 'capture' ? [] : fast.store),
  ];
  const access = (isRead: boolean) => `var<storage, ${isRead ? 'read' : 'read_write'}>`;
  const variables = [
    `${access(spec.op === 'capture')} all_fast: array<${fast.type}>`,
    `${access(spec.op === 'restore')} all_slow: array<${slow.type}>`,
    'var<uniform> numbers: Numbers',
  ];
  return `struct Numbers { length: u32, block: u32, item: u32, round: u32, step_size: f32 }
${declared(variables)}
${spec.format === 'int8' ? 'var<workgroup> largest_of_all: atomic<u32>;\n' : ''}${BLENDED}${spec.format === 'f32' ? '' : CODEC_WGSL[spec.format]}
${entryPoint(workgroupSize(spec), body)}`;
}

/**
 * s + a(f − s); s where f = s, which keeps −0. Where the difference may overflow, of halves, and not beyond s and f, where
 * rounding may lead.
 */
const BLENDED = `
fn blended(s: f32, f: f32, a: f32) -> f32 {
  if (f == s || a == 0.0) { return s; }
  if (a == 1.0) { return f; }
  if (max(abs(s), abs(f)) > 1e38) {
    let half = a * (0.5 * f) + (1.0 - a) * (0.5 * s);
    return 2.0 * clamp(half, 0.5 * min(s, f), 0.5 * max(s, f));
  }
  return s + a * (f - s);
}
`;

/** How an invocation reads and writes what it moves: `lane(l)` of what `load` has declared, `store` of r0 … */
interface Access {
  readonly type: string;
  readonly load: readonly string[];
  readonly lane: (lane: number) => string;
  readonly store: readonly string[];
}

const LANES = [0, 1, 2, 3];

function floatAccess(array: string, name: string, byFour: boolean): Access {
  return byFour
    ? {
        type: 'vec4<f32>',
        load: [`let ${name} = ${array}[i];`],
        lane: (l) => `${name}.${'xyzw'[l]}`,
        store: [`${array}[i] = vec4<f32>(r0, r1, r2, r3);`],
      }
    : { type: 'f32', load: [], lane: () => `${array}[i]`, store: [`${array}[i] = r0;`] };
}

function fastAccess({ format, byFour }: BlendKernelSpec): Access {
  const plain = floatAccess('all_fast', 'f', byFour);
  if (format === 'f32' || (byFour && format !== 'int8')) return plain;
  if (byFour) {
    const inside = 'i * 4u < numbers.length';
    return {
      ...plain,
      load: [`let f = select(vec4<f32>(0.0), all_fast[i], ${inside});`],
      store: plain.store.map((line) => `if (${inside}) { ${line} }`),
    };
  }
  const at = (l: number) => `4u * i + ${l}u`;
  return {
    type: 'f32',
    load: [],
    lane: (l) => `select(0.0, all_fast[${at(l)}], ${at(l)} < numbers.length)`,
    store: LANES.map((l) => `if (${at(l)} < numbers.length) { all_fast[${at(l)}] = r${l}; }`),
  };
}

function slowAccess({ format, byFour }: BlendKernelSpec): Access {
  const random = 'let random = draw_bits(numbers.block + i, numbers.item, numbers.round);';
  switch (format) {
    case 'f32':
      return floatAccess('all_slow', 's', byFour);
    case 'f16':
    case 'bf16':
      return {
        type: 'vec2<u32>',
        load: ['let s = all_slow[i];'],
        lane: (l) => `half_value((s.${'xy'[l >> 1]} >> ${16 * (l % 2)}u) & 0xffffu)`,
        store: [
          random,
          'all_slow[i] = vec2<u32>(',
          '  round_half(r0, random.x) | (round_half(r1, random.y) << 16u),',
          '  round_half(r2, random.z) | (round_half(r3, random.w) << 16u));',
        ],
      };
    case 'f16r8':
      return {
        type: 'u32',
        load: LANES.slice(0, 3).map((word) => `let w${word} = all_slow[3u * i + ${word}u];`),
        lane: (l) =>
          `half_residual_value((w${l >> 1} >> ${16 * (l % 2)}u) & 0xffffu, w2 >> ${8 * l}u)`,
        store: [
          random,
          ...LANES.map((l) => `let b${l} = round_half_residual(r${l}, random.${'xyzw'[l]});`),
          'all_slow[3u * i] = (b0 & 0xffffu) | (b1 << 16u);',
          'all_slow[3u * i + 1u] = (b2 & 0xffffu) | (b3 << 16u);',
          'all_slow[3u * i + 2u] = (b0 >> 16u) | ((b1 >> 16u) << 8u) | ((b2 >> 16u) << 16u) | ((b3 >> 16u) << 24u);',
        ],
      };
    case 'int8':
      return {
        type: 'u32',
        load: [
          'let largest_of_slow = all_slow[(i / 64u) * 65u];',
          'let s = all_slow[(i / 64u) * 65u + 1u + lane];',
        ],
        lane: (l) => `int8_value((s >> ${8 * l}u) & 0xffu, largest_of_slow)`,
        store: [
          'let r_bits = bitcast<vec4<u32>>(vec4<f32>(r0, r1, r2, r3)) & vec4<u32>(0x7fffffffu);',
          'atomicMax(&largest_of_all, max(max(r_bits.x, r_bits.y), max(r_bits.z, r_bits.w)));',
          'workgroupBarrier();',
          'let found = atomicLoad(&largest_of_all);',
          'let largest = select(found, 0u, found < 0x800000u);',
          random,
          'if ((i / 64u) * 256u < numbers.length) {',
          '  if (lane == 0u) { all_slow[(i / 64u) * 65u] = largest; }',
          '  all_slow[(i / 64u) * 65u + 1u + lane] = round_int8(r0, largest, random.x) |',
          '    (round_int8(r1, largest, random.y) << 8u) | (round_int8(r2, largest, random.z) << 16u) |',
          '    (round_int8(r3, largest, random.w) << 24u);',
          '}',
        ],
      };
    default:
      return format satisfies never;
  }
}
