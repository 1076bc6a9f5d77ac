/**
 * The kernel of an update rule whose state is quantized (`formula/quantization.ts`): dequantize, the formula of
 * `update-wgsl.ts`, the new scale of the block, quantize. Nothing in between leaves the workgroup.
 *
 * One workgroup is one block of 256 elements, one invocation one word: its four elements, 64 apart, are a
 * vector, and neighbouring invocations read neighbouring elements.
 */
import {
  BLOCK_WORDS,
  BLOCK,
  type QuantizationAlgebra,
  LEAST_SCALE,
  type QuantizedKind,
  dequantize,
  quantize,
} from '../../../formula/quantization.js';
import { entryPoint } from './kernel.js';
import { bindings, CLIPPED, type KernelSpec, lettering, statements } from './update-wgsl.js';

export interface QuantizedKernelSpec extends Omit<KernelSpec, 'width'> {
  readonly kinds: ReadonlyMap<string, QuantizedKind>;
}

/**
 * Bound are, in order: weight, gradient, the words of each state tensor, the scales of all, the scale of the clipping if
 * there is one, the numbers. Numbers: the elements (u32), the blocks (u32), the rounding (f32), the limit of clipValue if
 * there is one, the scalars (f32).
 */
export function quantizedKernelSource(spec: QuantizedKernelSpec): string {
  const state = [
    ...spec.state.map((name) => `var<storage, read_write> words_${name}: array<u32>`),
    'var<storage, read_write> scales: array<f32>',
  ];
  const stored = new Set(spec.formula.map(({ target }) => target));
  const storedState = spec.state.filter((name) => stored.has(name));
  const scaleAt = (name: string) => `${spec.state.indexOf(name)}u * numbers.blocks + block`;
  const body = [
    'let block = group.y * grid.x + group.x;',
    'if (block >= numbers.blocks) { return; }',
    `let word = block * ${BLOCK_WORDS}u + lane;`,
    `let at = vec4<u32>(block * ${BLOCK}u + lane) + vec4<u32>(0u, ${BLOCK_WORDS}u, ${2 * BLOCK_WORDS}u, ${3 * BLOCK_WORDS}u);`,
    'let inside = at < vec4<u32>(numbers.count);',
    // What is read in place of elements past the end is not stored.
    'let near = min(at, vec4<u32>(numbers.count - 1u));',
    `var x_weight = ${gathered('all_weight')};`,
    `let g = ${gathered('all_gradient')};`,
    `let x_gradient = ${CLIPPED[spec.clip]};`,
    ...spec.state.flatMap((name) => {
      const kind = kindOf(spec, name);
      const byte = `${kind}_bytes(words_${name}[word])`;
      const scale = `Value(scales[${scaleAt(name)}])`;
      const lines: string[] = [];
      const value = dequantize(kind, byte, scale, quantizationLettering(lines, `d_${name}`));
      return [...lines, `var x_${name} = ${value};`];
    }),
    ...statements(spec),
    ...storedState.flatMap((name) => [
      `x_${name} = select(Value(0.0), x_${name}, inside);`,
      `atomicMax(&top_${name}, top(x_${name}));`,
    ]),
    ...(storedState.length > 0 ? ['workgroupBarrier();'] : []),
    ...storedState.flatMap((name) => {
      const lines: string[] = [];
      const o = quantizationLettering(lines, `e_${name}`);
      const byte = quantize(
        kindOf(spec, name),
        `x_${name}`,
        `r_${name}`,
        'Value(numbers.rounding)',
        o,
      );
      return [
        `let s_${name} = bitcast<f32>(max(atomicLoad(&top_${name}), ${LEAST_BITS}));`,
        `let r_${name} = ratio(x_${name}, s_${name});`,
        ...lines,
        `words_${name}[word] = packed(${byte});`,
        `if (lane == 0u) { scales[${scaleAt(name)}] = s_${name}; }`,
      ];
    }),
    ...(stored.has('weight')
      ? ELEMENTS.map((e) => `if (inside.${e}) { all_weight[at.${e}] = x_weight.${e}; }`)
      : []),
  ];
  return `alias Value = vec4<f32>;
alias Bits = vec4<u32>;
${bindings(spec, 'f32', state, ['count: u32', 'blocks: u32', 'rounding: f32'])}
${storedState.map((name) => `var<workgroup> top_${name}: atomic<u32>;`).join('\n')}
${FUNCTIONS}
${entryPoint(BLOCK_WORDS, body)}`;
}

function kindOf(spec: QuantizedKernelSpec, name: string): QuantizedKind {
  return spec.kinds.get(name) ?? 'signed';
}

const ELEMENTS = ['x', 'y', 'z', 'w'];

function gathered(array: string): string {
  return `Value(${ELEMENTS.map((e) => `${array}[near.${e}]`).join(', ')})`;
}

/** The bits of 2⁻¹²⁶, the least scale. */
const LEAST_BITS = `0x${new Uint32Array(Float32Array.of(LEAST_SCALE).buffer)[0]?.toString(16).padStart(8, '0')}u`;

/**
 * `top`: magnitudes as bits are in the order of the numbers, a NaN above all, which `max` may drop.
 * `ratio`: WGSL promises nothing of a division by more than 2¹²⁶.
 * `packed`: masked, so that a NaN spoils its own byte alone.
 */
const FUNCTIONS = `
fn signed_bytes(word: u32) -> Value {
  return Value((vec4<i32>(bitcast<i32>(word)) << Bits(24u, 16u, 8u, 0u)) >> Bits(24u));
}
fn positive_bytes(word: u32) -> Value {
  return Value((Bits(word) >> Bits(0u, 8u, 16u, 24u)) & Bits(0xffu));
}
fn packed(bytes: Value) -> u32 {
  let b = (bitcast<Bits>(vec4<i32>(bytes)) & Bits(0xffu)) << Bits(0u, 8u, 16u, 24u);
  return b.x | b.y | b.z | b.w;
}
fn top(value: Value) -> u32 {
  let b = bitcast<Bits>(value) & Bits(0x7fffffffu);
  return max(max(b.x, b.y), max(b.z, b.w));
}
fn ratio(value: Value, scale: f32) -> Value {
  let k = select(1.0, 0x1p-64, scale > 1.0);
  return (value * k) / Value(scale * k);
}
fn greater(a: Value, b: Value) -> Value {
  return select(max(a, b), a, (bitcast<Bits>(a) & Bits(0x7fffffffu)) > Bits(0x7f800000u));
}
`;

function quantizationLettering(lines: string[], prefix: string): QuantizationAlgebra<string> {
  const name = (expression: string): string => {
    const result = `${prefix}_${lines.length}`;
    lines.push(`let ${result} = ${expression};`);
    return result;
  };
  return {
    ...lettering(lines, `${prefix}_`),
    constant: (value) => `Value(${value})`,
    floor: (a) => name(`floor(${a})`),
    max: (a, b) => name(`greater(${a}, ${b})`),
  };
}
