// A device that is lost by itself: the browser's process for the GPU ends. What it leaves to the page is not in Node's hands.

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { hasChromium, launchChromium } from './chromium.js';
import { openPage, openSite, type Site } from './site.js';

interface Left {
  readonly reason: string;
  readonly codes: string[];
  readonly isLeft: boolean;
  readonly isLeftAfterStop: boolean;
  readonly sizes: number[];
  readonly hostBytes: number;
}

describe.skipIf(!hasChromium)('in Chromium', () => {
  let browser: Browser;
  let site: Site;

  beforeAll(async () => {
    site = await openSite('test/browser/lost-page', false);
    browser = await launchChromium({ webgpu: true });
  }, 180_000);

  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  test('the process of the GPU ends: slowWeights() gives the same bits, and calls say DEVICE_LOST', async () => {
    const { page } = await openPage(browser, site);
    await page.waitForFunction('result');
    expect(await page.evaluate('result.then(({ isReady }) => isReady)')).toBe(true);
    const session = await browser.newBrowserCDPSession();
    await session.send('Browser.crashGpuProcess');
    const left = await page.evaluate<Left>('result.then((trained) => trained.whatIsLeft())');
    expect(left).toEqual({
      reason: 'unknown',
      codes: ['DEVICE_LOST', 'DEVICE_LOST'],
      isLeft: true,
      isLeftAfterStop: true,
      sizes: [65 * 65, 65 * 65],
      hostBytes: 0,
    });
    await page.close();
  }, 180_000);
});
