// examples/browser-mnist as a visitor gets it: built, in a headless Chromium, on software WebGPU.

import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { hasChromium, launchChromium } from './chromium.js';
import { openPage, openSite, type Site } from './site.js';

/** SwiftShader takes 0.1 to 0.5 s for a step of even the smallest network. */
const SMALL = 'hidden=32&batch=32&learningRate=0.01&readEvery=1&testEvery=20&testImages=64';
/** (784 → 32 → 32 → 10), each with its biases. */
const PARAMETERS = 784 * 32 + 32 + (32 * 32 + 32) + (32 * 10 + 10);
const SOFTWARE_WARNING = expect.stringMatching(
  /^slowlane: '.*swiftshader.*' is a software adapter/i,
);

interface Record {
  readonly backend: string;
  readonly tensors: number;
  readonly losses: { readonly loss: number }[];
  readonly stats: { readonly syncs: number; readonly steps: number };
}

describe.skipIf(!hasChromium)('the example', () => {
  let site: Site;
  let browser: Browser;

  beforeAll(async () => {
    site = await openSite('examples/browser-mnist', 'vite.config.ts');
    browser = await launchChromium({ webgpu: true });
  }, 180_000);

  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  test('trains on WebGPU: the loss falls, syncs happen, the bytes of the weights are exact', async () => {
    const { page, complaints, foreign } = await openPage(
      browser,
      site,
      `?${SMALL}&steps=42&autostart`,
    );
    expect(await ended(page)).toBe('Done after 42 steps. The slow weights are the result.');
    const { backend, losses, stats, tensors } = await page.evaluate<Record>('record');
    expect(backend).toBe('slowlane-webgpu');
    expect(losses).toHaveLength(42);
    const mean = (some: Record['losses']) =>
      some.reduce((sum, { loss }) => sum + loss, 0) / some.length;
    expect(mean(losses.slice(-10))).toBeLessThan(0.7 * mean(losses.slice(0, 5)));
    expect(stats.syncs).toBe(8); // 42 steps, k = 5
    expect(tensors).toBe(6 + 2 * 6); // kernels and biases, and two moments of each

    expect(await bytes(page, '#device-table', 'weights')).toBe(4 * PARAMETERS);
    expect(await bytes(page, '#device-table', 'moments')).toBe(2 * 4 * PARAMETERS);
    const slow = await bytes(page, '#host-table', 'slow weights, host');
    expect(slow).toBeGreaterThanOrEqual(4 * PARAMETERS);
    expect(slow).toBeLessThan(4 * PARAMETERS + 6 * 256); // six weights, which may be padded
    expect(await page.locator('#software').innerText()).toMatch(
      /^Software adapter: .*swiftshader/i,
    );
    for (const chart of ['#loss-chart', '#accuracy-chart', '#memory-chart']) {
      const colours = await coloursIn(page, chart);
      expect(colours, `colours in ${chart}`).toBeGreaterThan(20); // axes, lines, soft edges
    }
    expect(complaints).toEqual([SOFTWARE_WARNING]);
    expect(foreign).toEqual([]);
    await page.close();
  }, 180_000);

  test('with the keyboard: starts, pauses, resumes, stops, starts again', async () => {
    const { page, complaints } = await openPage(browser, site, `?${SMALL}&steps=100000`);
    const steps = async () => Number(await cell(page, '#host-table', 'steps').innerText());
    await page.locator('[name=hidden]').press('Enter');
    await expect.poll(steps, { timeout: 60_000 }).toBeGreaterThan(2);
    await page.locator('#main').press('Space');
    await shows(page, /^Paused/);
    await page.waitForTimeout(1500); // a redraw
    const paused = await steps();
    await page.waitForTimeout(1500); // a slow machine may be at its last step only now
    expect(await steps()).toBeLessThanOrEqual(paused + 1);
    await page.locator('#main').press('Enter');
    await expect.poll(steps, { timeout: 60_000 }).toBeGreaterThan(paused + 8);
    await page.locator('#stop').press('Enter');
    expect(await ended(page)).toMatch(/^Done after \d+ steps/);
    expect(
      await page.locator('#main').evaluate((button) => button === document.activeElement),
    ).toBe(true);
    const before = await steps();
    await page.keyboard.press('Enter');
    await expect.poll(steps, { timeout: 60_000 }).toBeLessThan(before); // a new run
    await page.locator('#stop').click();
    await ended(page);
    expect(complaints).toEqual([SOFTWARE_WARNING]);
    await page.close();
  }, 180_000);

  test('a VRAM budget that is too small: the page says what holds how much', async () => {
    const query = `?${SMALL}&steps=5&vramBudget=200KiB&autostart`;
    const { page } = await openPage(browser, site, query);
    expect(await ended(page)).toBe('Failed.');
    expect(await page.locator('#alert').innerText()).toMatch(
      /would pass the VRAM budget of 200 KiB: .* are in use \(weights .*, gradients /,
    );
    await page.close();
  }, 120_000);

  test('a field that is out of range is not sent', async () => {
    const { page, complaints } = await openPage(browser, site, `?steps=0&autostart`);
    expect(await page.locator('[name=steps]').isVisible()).toBe(true); // the browser marks it
    expect(await page.locator('#status').innerText()).toBe('Ready.');
    expect(complaints).toEqual([]);
    await page.close();
  });

  test('the bundle imports nothing of Node', () => {
    const code = site.chunks.map((chunk) => chunk.code).join('\n');
    expect(code).not.toMatch(/["'`]node:/);
    expect(code).not.toMatch(/piscina|worker_threads/);
    const ours = new Set(site.chunks.map(({ fileName }) => fileName));
    const imports = site.chunks.flatMap((chunk) => [...chunk.imports, ...chunk.dynamicImports]);
    expect(imports.filter((name) => !ours.has(name))).toEqual([]);
  });

  describe('in a browser without WebGPU', () => {
    let without: Browser;

    beforeAll(async () => {
      without = await launchChromium({ webgpu: false });
    }, 180_000);

    afterAll(() => without?.close());

    test.each([
      ['no adapter', '', ['No available adapters.']],
      ['no navigator.gpu', 'delete Navigator.prototype.gpu', []],
    ])(
      '%s: says so, offers the CPU, and trains there',
      async (_, before, expected) => {
        const query = `?${SMALL}&steps=12&autostart`;
        const { page, complaints, foreign } = await openPage(without, site, query, before);
        await shows(page, /^No WebGPU/);
        const alert = page.getByRole('alert');
        expect(await alert.innerText()).toContain('This browser has no WebGPU');
        await alert.getByRole('button', { name: 'Train on the CPU' }).click();
        expect(await ended(page)).toMatch(/^Done after 12 steps/);
        const { backend, stats } = await page.evaluate<Record>('record');
        expect(backend).toBe('cpu');
        expect(stats.syncs).toBe(2);
        expect(complaints).toEqual(expected); // Chromium's own
        expect(foreign).toEqual([]);
        await page.close();
      },
      180_000,
    );
  });
});

/** What the status says when the run is over. */
async function ended(page: Page): Promise<string> {
  await shows(page, /^(Done|Failed)/, 150_000);
  return page.locator('#status').innerText();
}

function shows(page: Page, text: RegExp, timeout = 60_000): Promise<void> {
  return page.locator('#status', { hasText: text }).waitFor({ timeout });
}

function cell(page: Page, table: string, label: string): Locator {
  return page.locator(`${table} tr`, { has: page.getByText(label, { exact: true }) }).locator('td');
}

async function bytes(page: Page, table: string, label: string): Promise<number> {
  return Number(await cell(page, table, label).locator('data').getAttribute('value'));
}

/** How many different colours the canvas holds: 1 if it is blank. */
function coloursIn(page: Page, chart: string): Promise<number> {
  return page.evaluate<number>(`(() => {
    const canvas = document.querySelector('${chart} canvas');
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    return new Set(new Uint32Array(data.buffer)).size;
  })()`);
}
