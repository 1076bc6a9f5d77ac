/**
 * The kernel of an update rule: its formula, written out in WGSL. The same formula runs as tensor
 * operations elsewhere (`formula/tensor-algebra.ts`); here every operation becomes one `let` in the
 * order of evaluation, and each weight, state tensor and gradient is read once and written at most once.
 *
 * Not bit-exact by promise: WGSL lets a compiler fuse a·b + c, flush denormals, and round a division to
 * 2.5 units in the last place. Between two kernels of one device that is a few units a step.
 */
import type { Algebra } from '../../../formula/algebra.js';
import type { Clip } from '../../../formula/clipping.js';
import type { Assignment } from '../../../formula/update-rule.js';
import { declared, entryPoint } from './kernel.js';

export const WORKGROUP_SIZE = 256;

export interface KernelSpec {
  readonly formula: readonly Assignment[];
  /** In the order of their bindings. */
  readonly state: readonly string[];
  /** In the order of the uniforms. */
  readonly scalars: readonly string[];
  readonly clip: Clip['by'];
  /** Elements of one invocation: 4 where the count is a multiple of 4, else 1, so that none is left over. */
  readonly width: 1 | 4;
}

/**
 * Bound are, in order: weight, gradient, the state, the scale of the clipping if there is one, the numbers.
 * Numbers: the count in units of `width` (u32), the limit of clipValue if any, the scalars (f32).
 */
export function kernelSource(spec: KernelSpec): string {
  const value = spec.width === 4 ? 'vec4<f32>' : 'f32';
  const bits = spec.width === 4 ? 'vec4<u32>' : 'u32';
  const state = spec.state.map((name) => `var<storage, read_write> all_${name}: array<Value>`);
  const stored = new Set(spec.formula.map(({ target }) => target));
  const body = [
    `let i = (group.y * grid.x + group.x) * ${WORKGROUP_SIZE}u + lane;`,
    'if (i >= numbers.count) { return; }',
    'var x_weight = all_weight[i];',
    ...spec.state.map((name) => `var x_${name} = all_${name}[i];`),
    'let g = all_gradient[i];',
    `let x_gradient = ${CLIPPED[spec.clip]};`,
    ...statements(spec),
    ...[...stored].map((name) => `all_${name}[i] = x_${name};`),
  ];
  return `alias Value = ${value};
alias Bits = ${bits};
${bindings(spec, 'Value', state, ['count: u32'])}

${entryPoint(WORKGROUP_SIZE, body)}`;
}

/** WGSL of what an update binds: `state` declares the variables of the state, `first` the numbers before the scalars. */
export function bindings(
  { clip, scalars }: Pick<KernelSpec, 'clip' | 'scalars'>,
  element: string,
  state: readonly string[],
  first: readonly string[],
): string {
  const limit = clip === 'value' ? ['limit: f32'] : [];
  const numbers = [...first, ...limit, ...scalars.map((name) => `x_${name}: f32`)];
  const variables = [
    `var<storage, read_write> all_weight: array<${element}>`,
    `var<storage, read> all_gradient: array<${element}>`,
    ...state,
    ...(clip === 'scale' ? ['var<storage, read> scale: array<f32>'] : []),
    'var<uniform> numbers: Numbers',
  ];
  return `struct Numbers { ${numbers.join(', ')} }
${declared(variables)}`;
}

/** clamp() may turn a NaN into the limit, which would hide it: a NaN stays one, as in tf.clipByValue. */
export const CLIPPED: Readonly<Record<Clip['by'], string>> = {
  nothing: 'g',
  value:
    'select(clamp(g, Value(-numbers.limit), Value(numbers.limit)), g, ' +
    '(bitcast<Bits>(g) & Bits(0x7fffffffu)) > Bits(0x7f800000u))',
  scale: 'g * scale[0]',
};

/** The formula: reads and writes `x_weight` and `x_…` of each state tensor, `x_gradient`, `numbers.x_…`. */
export function statements(spec: Omit<KernelSpec, 'width'>): string[] {
  const lines: string[] = [];
  const operands: Record<string, string> = { weight: 'x_weight', gradient: 'x_gradient' };
  for (const name of spec.state) operands[name] = `x_${name}`;
  for (const name of spec.scalars) operands[name] = `numbers.x_${name}`;
  for (const assignment of spec.formula) {
    const result = assignment.value(operands, lettering(lines));
    lines.push(`x_${assignment.target} = ${result};`);
  }
  return lines;
}

/** Appends one `let` an operation; `T` is the name of a value. */
export function lettering(lines: string[], prefix = 't'): Algebra<string> {
  const name = (expression: string): string => {
    const result = `${prefix}${lines.length}`;
    lines.push(`let ${result} = ${expression};`);
    return result;
  };
  return {
    add: (a, b) => name(`${a} + ${b}`),
    sub: (a, b) => name(`${a} - ${b}`),
    mul: (a, b) => name(`${a} * ${b}`),
    div: (a, b) => name(`${a} / ${b}`),
    square: (a) => name(`${a} * ${a}`),
    sqrt: (a) => name(`sqrt(${a})`),
    abs: (a) => name(`abs(${a})`),
    sign: (a) => name(`sign(${a})`),
  };
}

/**
 * Workgroups in x and y for `invocations` invocations: at least as many as needed, at most one row more.
 * Throws a RangeError where two dimensions of `maxPerDimension` do not reach.
 */
export function gridFor(invocations: number, maxPerDimension: number): readonly [number, number] {
  const groups = Math.ceil(invocations / WORKGROUP_SIZE);
  const rows = Math.ceil(groups / maxPerDimension);
  if (rows > maxPerDimension) {
    throw new RangeError(
      `${invocations} invocations need ${groups} workgroups; the device runs ${maxPerDimension} × ${maxPerDimension}.`,
    );
  }
  return [Math.ceil(groups / Math.max(rows, 1)), rows];
}
