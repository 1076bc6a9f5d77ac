// The core in a browser, without WebGPU and without threads: the numbers are those of Node.

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import golden from '../golden.json' with { type: 'json' };
import { hasChromium, launchChromium } from './chromium.js';
import { openPage, openSite, type Site } from './site.js';

interface Result {
  readonly backend: string;
  readonly constantGradient: number[];
  readonly quadratic: number[];
  readonly leaked: number;
}

describe.skipIf(!hasChromium)('in Chromium', () => {
  let browser: Browser;
  let site: Site;

  beforeAll(async () => {
    site = await openSite('test/browser/core-page', false);
    browser = await launchChromium({ webgpu: false });
  }, 180_000);

  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  test('golden trajectories: a constant gradient exactly, Adam on ½x² within 1e-5; nothing leaks', async () => {
    const { page, complaints, foreign } = await openPage(browser, site);
    const result = await page.evaluate<Result>('result');
    expect(result.backend).toBe('cpu');
    expect(result.constantGradient).toEqual(golden.constantGradient['alpha0.25']);
    const { maintain } = golden.quadratic.adam;
    expect(result.quadratic).toHaveLength(maintain.length);
    result.quadratic.forEach((value, i) => {
      expect(Math.abs(value - (maintain[i] as number)), `step ${i + 1}`).toBeLessThan(1e-5);
    });
    expect(result.leaked).toBe(0);
    expect(complaints).toEqual([]);
    expect(foreign).toEqual([]);
    await page.close();
  });

  test('the bundle has no part of the WebGPU engine, of its backend, or of the worker pool', () => {
    const modules = site.chunks.flatMap(({ moduleIds }) => moduleIds);
    expect(modules.some((id) => id.includes('sync/no-worker-blender'))).toBe(true);
    expect(modules.filter((id) => /webgpu|piscina|sync\/node/.test(id))).toEqual([]);
  });
});
