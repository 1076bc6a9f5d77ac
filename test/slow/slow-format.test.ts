import type * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';

import { SLOW_FORMATS, valueFormat } from '#src/slow/slow-format.js';
import { formatOf, type Storable } from '#src/slow/slow-store.js';

const weight = (...shape: number[]) => ({ shape, slot: null });

test('a weight of 4,096 elements or more is stored in its format', () => {
  const large = SLOW_FORMATS.map((format) => valueFormat(format, weight(64, 64)));
  expect(large).toEqual(['f32', 'f16r8', 'f16', 'bf16', 'int8', 'f32']);
  expect(valueFormat('host:f16', weight(2, 8, 16, 16))).toBe('f16');
});

test('smaller weights, those of one dimension, and slots of the inner state stay float32', () => {
  for (const format of SLOW_FORMATS) {
    expect(valueFormat(format, weight(63, 65))).toBe('f32'); // 4,095
    expect(valueFormat(format, weight(100_000))).toBe('f32');
    expect(valueFormat(format, weight())).toBe('f32');
    expect(valueFormat(format, { shape: [64, 64], slot: 0 })).toBe('f32');
  }
});

test('so does a weight that has outgrown its format', () => {
  const variable = { shape: [64, 64] } as tf.Variable;
  const item: Storable = {
    variable,
    size: 4096,
    slot: null,
    serial: 0,
    slow: 'host:int8',
    isKeptInF32: false,
  };
  expect(formatOf(item)).toBe('int8');
  expect(formatOf({ ...item, isKeptInF32: true })).toBe('f32');
  expect(formatOf({ ...item, slot: 1 })).toBe('f32');
});
