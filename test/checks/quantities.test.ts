import { expect, test } from 'vitest';

import {
  formatBytes,
  formatCount,
  formatMs,
  formatPercent,
  shortCount,
  significant,
} from '#src/checks/quantities.js';

test.each([
  [formatBytes(0), '0 B'],
  [formatBytes(1023), '1,023 B'],
  [formatBytes(1024), '1 KiB'],
  [formatBytes(1536), '1.5 KiB'],
  [formatBytes(437_544), '427 KiB'],
  [formatBytes(2 ** 20 - 1), '1 MiB'], // 1,024 KiB, rounded
  [formatBytes(1.256 * 2 ** 30), '1.26 GiB'],
  [formatBytes(3 * 2 ** 30), '3 GiB'],
  [formatCount(60_000), '60,000'],
  [shortCount(350e6), '350M'],
  [shortCount(1.3e9), '1.3B'],
  [shortCount(123_456), '123k'],
  [shortCount(999_999), '999k'], // down, so that it fits
  [shortCount(42), '42'],
  [formatMs(0.1234), '0.123 ms'],
  [formatMs(9310), '9.31 s'],
  [formatMs(59_999), '60.0 s'],
  [formatMs(125_400), '2 min 05 s'],
  [formatPercent(0.97625), '97.63 %'],
  [significant(1234.5), '1,235'],
  [significant(12.345), '12.3'],
])('%s is %s', (shown, expected) => {
  expect(shown).toBe(expected);
});
