import { describe, expect, test } from 'vitest';
import { bindingsIn } from '#src/engines/webgpu/update/kernel.js';
import {
  type KernelSpec,
  WORKGROUP_SIZE,
  gridFor,
  kernelSource,
} from '#src/engines/webgpu/update/update-wgsl.js';
import { adamRule } from '#src/optimizers/rules/adam.js';
import {
  type QuantizedKernelSpec,
  quantizedKernelSource,
} from '#src/engines/webgpu/update/update-q8-wgsl.js';
import { momentumRule } from '#src/optimizers/rules/momentum.js';
import type { Assignment } from '#src/formula/update-rule.js';

const momentum: KernelSpec = {
  formula: momentumRule.formula({ momentum: 0.9, nesterov: false }) as readonly Assignment[],
  state: ['m'],
  scalars: ['learningRate', 'momentum'],
  clip: 'nothing',
  width: 4,
};

describe('the kernel', () => {
  test('the formula in the order of evaluation: m ← μ m + g, then w ← w − γ m with the new m', () => {
    const lines = kernelSource(momentum).split('\n');
    const start = lines.findIndex((line) => line.includes('let x_gradient'));
    expect(lines.slice(start, -2).map((line) => line.trim())).toEqual([
      'let x_gradient = g;',
      'let t0 = x_m * numbers.x_momentum;',
      'let t1 = t0 + x_gradient;',
      'x_m = t1;',
      'let t3 = x_m * numbers.x_learningRate;',
      'let t4 = x_weight - t3;',
      'x_weight = t4;',
      'all_m[i] = x_m;',
      'all_weight[i] = x_weight;',
    ]);
  });

  test('weight, gradient, state, scale, numbers: at most 7 bindings for three state', () => {
    expect(bindingsIn(kernelSource({ ...momentum, clip: 'scale' }))).toEqual([
      'storage',
      'read-only-storage',
      'storage',
      'read-only-storage',
      'uniform',
    ]);
    expect(
      bindingsIn(kernelSource({ ...momentum, state: ['m', 'b', 'c'], clip: 'scale' })),
    ).toHaveLength(7);
  });
});

describe('the kernel of 8-bit state', () => {
  const adam: QuantizedKernelSpec = {
    formula: adamRule.formula({ beta1: 0.9, beta2: 0.999, epsilon: 1e-7 }) as readonly Assignment[],
    state: ['m', 'v'],
    scalars: ['beta1'],
    clip: 'nothing',
    kinds: new Map([
      ['m', 'signed'],
      ['v', 'positive'],
    ]),
  };

  test('the formula is that of float32, between what decodes and what encodes', () => {
    const lines = (source: string) => source.split('\n').map((line) => line.trim());
    const plain = lines(kernelSource({ ...adam, width: 4 }));
    const start = plain.findIndex((line) => line.startsWith('let t0 '));
    const formula = plain.slice(start, plain.indexOf('all_m[i] = x_m;'));
    const quantized = lines(quantizedKernelSource(adam));
    const at = quantized.findIndex((line) => line.startsWith('let t0 '));
    expect(formula.length).toBeGreaterThan(10);
    expect(quantized.slice(at, at + formula.length)).toEqual(formula);
    expect(quantized.slice(0, at)).toContain('var x_m = d_m_3;');
  });

  test('weight, gradient, words, scales, scale, numbers: 7 storage buffers for three state', () => {
    const bindings = bindingsIn(
      quantizedKernelSource({ ...adam, state: ['m', 'v', 'c'], clip: 'scale' }),
    );
    expect(bindings.filter((kind) => kind !== 'uniform')).toHaveLength(7);
    expect(bindings.at(-1)).toBe('uniform');
  });
});

describe('the grid', () => {
  test.each([
    [1, 1, 1],
    [256, 1, 1],
    [257, 2, 1],
    [65_535 * 256, 65_535, 1],
    [65_535 * 256 + 1, 32_768, 2],
    [3e8 / 4, 58_594, 5], // 292,969 workgroups: 5 rows of 58,594 are 292,970
    [3e8, 65_105, 18], // 1,171,875 workgroups, one too many for 17 rows
  ])('%i invocations need %i × %i workgroups', (invocations, x, y) => {
    expect(gridFor(invocations, 65_535)).toEqual([x, y]);
    const groups = Math.ceil(invocations / WORKGROUP_SIZE);
    expect(x * y).toBeGreaterThanOrEqual(groups);
    expect(x * y - groups).toBeLessThan(y);
  });

  test('what two dimensions cannot hold is refused with the numbers', () => {
    expect(gridFor(1024, 2)).toEqual([2, 2]);
    expect(() => gridFor(1025, 2)).toThrow(
      '1025 invocations need 5 workgroups; the device runs 2 × 2.',
    );
  });
});
