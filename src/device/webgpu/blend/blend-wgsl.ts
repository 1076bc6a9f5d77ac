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
import type { ValueFormat } from '../../../slow/packed-layout.js';
import { HALF_WGSL } from './half-wgsl.js';
import type { Binding } from '../kernel.js';
import { WORKGROUP_SIZE } from '../update-wgsl.js';

export type Move = 'blend' | 'capture' | 'restore';

export interface MoveSpec {
  readonly move: Move;
  readonly format: ValueFormat;
  /** True if the part's length is a multiple of 4: then an invocation moves four elements. */
  readonly byFour: boolean;
}

/** Fast values, packed slow values, numbers. */
export function bindingsOfMove({ move }: MoveSpec): readonly Binding[] {
  return [
    move === 'capture' ? 'read-only-storage' : 'storage',
    move === 'restore' ? 'read-only-storage' : 'storage',
    'uniform',
  ];
}

/** Elements that an invocation moves. A word of fp16 holds two. */
export function elementsPerInvocation({ format, byFour }: MoveSpec): number {
  if (byFour) return 4;
  return format === 'f16' ? 2 : 1;
}

/** Bytes of the uniform: length, block, item, round (u32), step size (f32), and padding. */
export const NUMBERS_BYTES = 32;

/** Its content. `start`: the part's first element within the variable, a multiple of 4. */
export function moveNumbers(
  into: DataView,
  part: { length: number; start: number; item: number; round: number; stepSize: number },
): void {
  into.setUint32(0, part.length, true);
  into.setUint32(4, part.start / 4, true);
  into.setUint32(8, part.item, true);
  into.setUint32(12, part.round, true);
  into.setFloat32(16, part.stepSize, true);
}

export function moveSource(spec: MoveSpec): string {
  const lanes = elementsPerInvocation(spec);
  const readsSlow = spec.move !== 'capture';
  const readsFast = spec.move !== 'restore';
  const { fastType, slowType, slow, fast, storeSlow, storeFast } = access(spec, lanes);
  const each = (line: (lane: number) => string) => Array.from({ length: lanes }, (_, l) => line(l));
  const result = {
    blend: (l: number) => `blended(s${l}, f${l}, numbers.step_size)`,
    capture: (l: number) => `f${l}`,
    restore: (l: number) => `s${l}`,
  }[spec.move];
  const body = [
    `let i = (group.y * grid.x + group.x) * ${WORKGROUP_SIZE}u + lane;`,
    `if (i * ${lanes}u >= numbers.length) { return; }`,
    ...(readsSlow ? [...slow, ...each((l) => `let s${l} = ${slowLane(spec, l)};`)] : []),
    ...(readsFast ? [...fast, ...each((l) => `let f${l} = ${fastLane(spec, l)};`)] : []),
    ...each((l) => `let r${l} = ${result(l)};`),
    ...(spec.move === 'restore' ? [] : storeSlow),
    ...(spec.move === 'capture' ? [] : storeFast),
  ];
  return `struct Numbers { length: u32, block: u32, item: u32, round: u32, step_size: f32 }
@group(0) @binding(0) var<storage, ${readsFast && spec.move === 'capture' ? 'read' : 'read_write'}> all_fast: array<${fastType}>;
@group(0) @binding(1) var<storage, ${spec.move === 'restore' ? 'read' : 'read_write'}> all_slow: array<${slowType}>;
@group(0) @binding(2) var<uniform> numbers: Numbers;
${BLENDED}${spec.format === 'f16' ? HALF_WGSL : ''}
@compute @workgroup_size(${WORKGROUP_SIZE})
fn move_part(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  ${body.join('\n  ')}
}
`;
}

/** s + a(f − s); the other form where the difference may overflow; s where f = s, which keeps −0. */
const BLENDED = `
fn blended(s: f32, f: f32, a: f32) -> f32 {
  if (f == s || a == 0.0) { return s; }
  if (a == 1.0) { return f; }
  if (max(abs(s), abs(f)) > 1e38) { return a * f + (1.0 - a) * s; }
  return s + a * (f - s);
}
`;

interface Access {
  readonly fastType: string;
  readonly slowType: string;
  readonly slow: readonly string[];
  readonly fast: readonly string[];
  readonly storeSlow: readonly string[];
  readonly storeFast: readonly string[];
}

function access({ format, byFour }: MoveSpec, lanes: number): Access {
  const results = Array.from({ length: lanes }, (_, l) => `r${l}`).join(', ');
  const whole = { fast: ['let f = all_fast[i];'], slow: ['let s = all_slow[i];'] };
  if (format === 'f32') {
    const type = byFour ? 'vec4<f32>' : 'f32';
    const value = `${type}(${results})`;
    const stores = {
      storeSlow: [`all_slow[i] = ${value};`],
      storeFast: [`all_fast[i] = ${value};`],
    };
    return { fastType: type, slowType: type, ...whole, ...stores };
  }
  if (byFour) {
    return {
      fastType: 'vec4<f32>',
      slowType: 'vec2<u32>',
      ...whole,
      storeSlow: [
        'let random = draw_bits(numbers.block + i, numbers.item, numbers.round);',
        'all_slow[i] = vec2<u32>(',
        '  round_half(r0, random.x) | (round_half(r1, random.y) << 16u),',
        '  round_half(r2, random.z) | (round_half(r3, random.w) << 16u));',
      ],
      storeFast: [`all_fast[i] = vec4<f32>(${results});`],
    };
  }
  return {
    fastType: 'f32',
    slowType: 'u32',
    slow: whole.slow,
    // The second may lie behind the end; what is read there is stored in padding alone.
    fast: ['let first = 2u * i;', 'let second = min(first + 1u, numbers.length - 1u);'],
    storeSlow: [
      'let random = draw_bits(numbers.block + i / 2u, numbers.item, numbers.round);',
      'let two = select(random.xy, random.zw, (i & 1u) == 1u);',
      'all_slow[i] = round_half(r0, two.x) | (round_half(r1, two.y) << 16u);',
    ],
    storeFast: [
      'all_fast[2u * i] = r0;',
      'if (2u * i + 1u < numbers.length) { all_fast[2u * i + 1u] = r1; }',
    ],
  };
}

function slowLane({ format, byFour }: MoveSpec, lane: number): string {
  const component = 'xyzw'[lane];
  if (format === 'f32') return byFour ? `s.${component}` : 's';
  const word = byFour ? `s.${'xy'[lane >> 1]}` : 's';
  return lane % 2 === 0 ? `half_value(${word} & 0xffffu)` : `half_value(${word} >> 16u)`;
}

function fastLane({ format, byFour }: MoveSpec, lane: number): string {
  if (byFour) return `f.${'xyzw'[lane]}`;
  if (format === 'f32') return 'f';
  return `all_fast[${['first', 'second'][lane]}]`;
}
