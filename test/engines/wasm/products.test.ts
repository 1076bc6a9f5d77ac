// Products, einsum and segment sums on wasm against tfjs's cpu backend.

import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { check, expectAsOnCpu, onWasm, seed, side } from './compare.js';

onWasm();

describe('products of matrices', () => {
  const layout = fc.record({
    m: side(24),
    n: side(24),
    k: fc.oneof(side(40), fc.constant(0), fc.constant(300)),
    transposeA: fc.boolean(),
    transposeB: fc.boolean(),
    batch: fc.constantFrom(
      [[], []],
      [[3], [3]],
      [[1], [3]],
      [[3], [1]],
      [
        [2, 3],
        [2, 3],
      ],
      [[2, 3], [3]],
      [[3], [2, 3]],
      [[0], [0]],
    ),
    seed,
  });
  const shapesOf = ({
    m,
    n,
    k,
    transposeA,
    transposeB,
    batch: [a = [], b = []],
  }: Parameters<Parameters<(typeof layout)['filter']>[0]>[0]) => ({
    a: { shape: [...a, ...(transposeA ? [k, m] : [m, k])] },
    b: { shape: [...b, ...(transposeB ? [n, k] : [k, n])] },
  });

  test('BatchMatMul in every layout, with batches that broadcast', async () => {
    await check(
      fc.asyncProperty(layout, async (given) => {
        const { transposeA, transposeB } = given;
        const { a, b } = shapesOf(given);
        await expectAsOnCpu('BatchMatMul', { a, b }, { transposeA, transposeB }, given.seed);
      }),
      60,
    );
  });

  test('both batches broadcast: [2, 1] and [3] make [2, 3], which cpu does not', async () => {
    await tf.setBackend('wasm');
    const a = tf.tensor([1, 2], [2, 1, 1, 1]);
    const b = tf.tensor([1, 10, 100], [3, 1, 1]);
    const product = tf.matMul(a, b);
    expect(product.shape).toEqual([2, 3, 1, 1]);
    expect([...product.dataSync()]).toEqual([1, 10, 100, 2, 20, 200]);
    tf.dispose([a, b, product]);
  });

  test('sizes beyond one block: 100 × 300 by 300 × 520', async () => {
    await expectAsOnCpu(
      'BatchMatMul',
      { a: { shape: [300, 100] }, b: { shape: [520, 300] } },
      { transposeA: true, transposeB: true },
    );
  });

  test('a sum of 100,001 times .1 loses at most a millionth', async () => {
    await tf.setBackend('wasm');
    const a = tf.fill([1, 100_001], 0.1);
    const b = tf.ones([100_001, 1]);
    const product = tf.matMul(a, b);
    const exact = 100_001 * Math.fround(0.1);
    expect(Math.abs((product.dataSync()[0] ?? 0) / exact - 1)).toBeLessThan(1e-6);
    tf.dispose([a, b, product]);
  });

  test('int32 and bool, as plain numbers', async () => {
    for (const dtype of ['int32', 'bool'] as const) {
      await expectAsOnCpu(
        'BatchMatMul',
        { a: { shape: [2, 5, 3], dtype }, b: { shape: [5, 4], dtype } },
        { transposeA: true, transposeB: false },
      );
    }
  });

  test('_FusedMatMul with a bias and each activation, none of which is steeper than 1', async () => {
    const activations = ['linear', 'relu', 'relu6', 'elu', 'sigmoid', 'prelu', 'leakyrelu'];
    const activation = fc.constantFrom(...activations);
    await check(
      fc.asyncProperty(layout, activation, fc.boolean(), async (given, activation, hasBias) => {
        fc.pre(given.k > 0 && given.batch[0]?.[0] !== 0);
        const { transposeA, transposeB, n } = given;
        await expectAsOnCpu(
          '_FusedMatMul',
          {
            ...shapesOf(given),
            ...(hasBias && { bias: { shape: [n] } }),
            ...(activation === 'prelu' && { preluActivationWeights: { shape: [n] } }),
          },
          { transposeA, transposeB, activation, leakyreluAlpha: 0.3 },
          given.seed,
          { transposeA, transposeB, activation: 'linear' },
        );
      }),
      60,
    );
  });

  test('refuses what cpu refuses', async () => {
    await tf.setBackend('wasm');
    const a = tf.zeros([2, 3]);
    const run = (activation: string) =>
      tf.engine().runKernel('_FusedMatMul', { a, b: a }, { transposeB: true, activation });
    expect(() => run('softsign')).toThrow(/no activation 'softsign' for matMul/);
    expect(() => tf.engine().runKernel('BatchMatMul', { a, b: a }, {})).toThrow(
      /inner shapes \(3\) and \(2\)/,
    );
    a.dispose();
  });
});

test('UnsortedSegmentSum, with ids that are no segment', async () => {
  const row = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 2 });
  const counts = fc.record({
    rows: fc.integer({ min: 0, max: 40 }),
    segments: side(12),
    row,
    seed,
  });
  await check(
    fc.asyncProperty(counts, fc.boolean(), async ({ rows, segments, row, seed }, isWhole) => {
      fc.pre(rows > 0 && !row.includes(0)); // cpu's sum of nothing has another shape
      await expectAsOnCpu(
        'UnsortedSegmentSum',
        {
          x: { shape: [rows, ...row], dtype: isWhole ? 'int32' : 'float32' },
          segmentIds: { shape: [rows], dtype: 'int32', from: -1, below: segments + 1 },
        },
        { numSegments: segments },
        seed,
      );
    }),
    60,
  );
});

test('Einsum: products, sums, transposes, batches, outer products', async () => {
  const equations = fc.constantFrom(
    'ij,jk->ik',
    'ij,jk->ki',
    'ji,kj->ik',
    'bij,bjk->bik',
    'bthd,bshd->bhts',
    'bhts,bshd->bthd',
    'i,i->',
    'bi,bi->b',
    'i,j->ij',
    'i,j->ji',
    'ij,j->i',
    'ijk,k->ij',
    'ij,ik->j',
    'ij->ji',
    'ij->',
    'ijk->kj',
  );
  const sizes = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 26, maxLength: 26 });
  await check(
    fc.asyncProperty(
      equations,
      sizes,
      fc.boolean(),
      seed,
      async (equation, sizes, isWhole, seed) => {
        const terms = (equation.split('->')[0] ?? '').split(',');
        const inputs = terms.map((term, i) => [
          `${i}`,
          {
            shape: Array.from(term, (label) => sizes[label.charCodeAt(0) - 97] ?? 1),
            dtype: isWhole ? ('int32' as const) : ('float32' as const),
          },
        ]);
        await expectAsOnCpu('Einsum', Object.fromEntries(inputs), { equation }, seed);
      },
    ),
    120,
  );
});

test('Einsum of all of both: (1 + 2)·(3 + 4) = 21, where cpu sums only one', async () => {
  await tf.setBackend('wasm');
  const sum = tf.tidy(() => tf.einsum('ij,kl->', tf.tensor([[1, 2]]), tf.tensor([[3], [4]])));
  expect(sum.shape).toEqual([]);
  expect([...sum.dataSync()]).toEqual([21]);
  sum.dispose();
});

test('Einsum of nothing is 0, and refuses a label twice in the result', async () => {
  await tf.setBackend('wasm');
  tf.tidy(() => {
    const sum = (equation: string, ...tensors: tf.Tensor[]) => [
      ...tf.einsum(equation, ...tensors).dataSync(),
    ];
    expect(sum('ij->j', tf.zeros([0, 2]))).toEqual([0, 0]);
    expect(sum('ij,jk->ik', tf.zeros([2, 0]), tf.zeros([0, 1]))).toEqual([0, 0]);
    expect(() => sum('ij->ii', tf.zeros([2, 2]))).toThrow(/cannot repeat a label/);
  });
});

test('Einsum that changes nothing makes a tensor of its own, where cpu frees its input', async () => {
  await tf.setBackend('wasm');
  const x = tf.tensor2d([[1, 2]]);
  tf.einsum('ij->ij', x).dispose();
  expect([...x.dataSync()]).toEqual([1, 2]);
  x.dispose();
});

test('ids of another shape or dtype are refused', async () => {
  await tf.setBackend('wasm');
  const x = tf.zeros([3, 2]);
  const ids = tf.zeros([2], 'int32');
  expect(() => tf.unsortedSegmentSum(x, ids as tf.Tensor1D, 4)).toThrow(
    /needs segment ids of shape \[3\] and dtype int32, got \[2\] and int32/,
  );
  tf.dispose([x, ids]);
});
