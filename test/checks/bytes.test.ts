import { expect, test } from 'vitest';

import { parseBytes } from '#src/checks/bytes.js';

test.each([
  ['2GiB', 2_147_483_648],
  ['512MiB', 536_870_912],
  ['1.5 GB', 1_500_000_000],
  ['1.5kib', 1536],
  [' 7 b ', 7],
  ['0.1 KiB', 102], // 102.4
  [4096, 4096],
])('%j is %d bytes', (given, bytes) => {
  expect(parseBytes('vramBudget', given)).toBe(bytes);
});

test.each(['', 'GiB', '2 Gi', '2  GiB', '-1GiB', '1e3MiB', '1,5 GB', '2048', null, undefined, {}])(
  '%j is no size: TypeError',
  (given) => {
    expect(() => parseBytes('vramBudget', given)).toThrow(TypeError);
    expect(() => parseBytes('vramBudget', given)).toThrow(
      /^vramBudget must be a size with its unit/,
    );
  },
);

test.each([0, -1, 1.5, Number.NaN, Infinity, '0GiB', '0.5B', '9999999TiB'])(
  '%j is out of range: RangeError',
  (given) => {
    expect(() => parseBytes('vramBudget', given)).toThrow(RangeError);
  },
);
