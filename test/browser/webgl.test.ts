// Training on tfjs's WebGL backend, in Chromium on a software GPU: numbers, and bytes that tfjs counts.
// docs/coming-from-tf-train.md shows them.

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { expectTable, markdownTable } from '../marked-table.js';
import { hasChromium, launchChromium } from './chromium.js';
import { openPage, openSite, type Site } from './site.js';

interface Result {
  readonly onCpu: readonly number[];
  readonly losses: readonly number[];
  readonly bytesPerParameter: number;
  readonly code?: string;
}

const TFJS = 'tf.train.adam';
const OURS = [
  'adam()',
  "adam({ gradients: 'release' })",
  'lookahead(adam())',
  "lookahead(adam({ gradients: 'release' }))",
];

describe.skipIf(!hasChromium)('on WebGL', () => {
  let browser: Browser;
  let site: Site;
  const results = new Map<string, Result>();

  beforeAll(async () => {
    site = await openSite('test/browser/webgl-page', false);
    browser = await launchChromium({ webgpu: false, webgl: true });
    for (const name of [TFJS, ...OURS]) results.set(name, await trained(name));
  }, 180_000);

  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  async function trained(optimizer: string): Promise<Result> {
    const { page } = await openPage(browser, site, `?optimizer=${encodeURIComponent(optimizer)}`);
    const result = await page.evaluate<Result>('result');
    await page.close();
    return result;
  }

  test.each([TFJS, ...OURS])('%s trains as on the cpu backend: six losses within 1e-5', (name) => {
    const { losses = [], onCpu = [] } = results.get(name) ?? {};
    expect(losses).toHaveLength(6);
    losses.forEach((loss, i) => expect(Math.abs(loss - (onCpu[i] ?? NaN))).toBeLessThan(1e-5));
    expect(losses[4]).toBeLessThan(losses[0] ?? 0);
  });

  test('ours take less than half of the textures of tf.train.adam, Lookahead included', () => {
    const tfjs = results.get(TFJS)?.bytesPerParameter ?? 0;
    for (const name of OURS) expect(results.get(name)?.bytesPerParameter).toBeLessThan(tfjs / 2);
  });

  test('the table of docs/coming-from-tf-train.md has these bytes', () => {
    const what = 'peak, 8 dense layers of 128×128, batch 32, WebGL';
    const rows = [...results].map(([name, { bytesPerParameter }]) => [
      `\`${name}\``,
      bytesPerParameter.toFixed(1),
    ]);
    const table = markdownTable([[what, 'device bytes per parameter'], ...rows], {
      numbersFrom: 1,
    });
    expectTable('docs/coming-from-tf-train.md', 'webgl', table);
  });

  test('8-bit moments are refused: the backend rounds 32-bit integers', async () => {
    const { code } = await trained("adam({ moments: 'device:q8' })");
    expect(code).toBe('UNSUPPORTED');
  });
});
