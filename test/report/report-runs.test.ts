// Several runs on one page, and memory and times in their charts: what a mouse and a keyboard find there.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { renderReport } from '#src/report/report.js';
import type { RunRecord } from '#src/records/run-record.js';
import { launchChromium } from '../browser/chromium.js';
import { RECORD } from './records.js';
import { timedRun } from './timelines.js';

let browser: Browser;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'slowlane-runs-'));
  browser = await launchChromium({ webgpu: false });
}, 120_000);

afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

test('the mouse finds what happened, how much, in which step and phase', async () => {
  const { page, complaints } = await open({ run: timedRun(3) });
  const over = page.locator('#memory .u-over');
  // 0 to 4 on the axis; a step has 4 events: the 2nd of step 2 lies at 2.4.
  await hover(page, over, 2.4 / 3.8);
  const tip = await over.locator('.tip').innerText();
  expect(tip.replaceAll(/\s+/g, ' ')).toBe(
    'step 2, backward 1 MiB taken from the pool: gradients activations 1 MiB gradients 1 MiB weights 2 MiB in all 4 MiB',
  );
  await hover(page, page.locator('#times .u-over'), 0.5);
  expect(await page.locator('#times .tip').innerText()).toMatch(/step 2\s+took\s+10 ms/);
  expect(complaints).toEqual([]);
  await page.close();
});

test('the keyboard goes from event to event and presses the buttons; a screen reader hears it', async () => {
  const { page, complaints } = await open({ run: timedRun(3) });
  const chart = page.locator('#memory .uplot');
  await chart.focus();
  await page.keyboard.press('End');
  const said = page.locator('#memory .read');
  expect(await said.innerText()).toContain(
    'step 3, update: 1 MiB released, back to the pool: gradients',
  );
  await page.keyboard.press('ArrowLeft');
  expect(await said.innerText()).toContain('step 3, backward: 1 MiB released');
  const before = await drawn(page, '#memory');
  await page.locator('#memory .toggles button', { hasText: 'weights' }).focus();
  await page.keyboard.press('Space');
  expect(
    await page
      .locator('#memory .toggles button', { hasText: 'weights' })
      .getAttribute('aria-pressed'),
  ).toBe('false');
  expect(await drawn(page, '#memory')).not.toBe(before);
  expect(complaints).toEqual([]);
  await page.close();
});

test.each(['light', 'dark'] as const)(
  'two runs: overlaid, beside each other, %s, nothing fetched',
  async (scheme) => {
    const slower = { ...timedRun(40), evaluations: [], sync: null };
    const { page, complaints, requests } = await open(
      { 'first run': timedRun(30, 5 * 2 ** 20), '<b>&': slower },
      { colorScheme: scheme },
    );
    expect(await page.title()).toBe('mlp on mnist: 2 runs · slowlane');
    expect(await page.locator('#memory canvas').count()).toBe(2);
    expect(await page.locator('#loss canvas').count()).toBe(1);
    expect(await page.locator('#times canvas').count()).toBe(2);
    expect(await page.locator('#memory .above').allInnerTexts()).toEqual([
      'Dashed: the budget, 5 MiB.',
      '',
    ]);
    const head = await page.locator('.results thead').first().innerText();
    expect(head).toContain('<b>&');
    const row = page.locator('#memory tr', { hasText: 'Total' });
    expect(await row.locator('td').allInnerTexts()).toEqual(['4\u00a0MiB', '4\u00a0MiB']);
    // Both memory charts have one x axis: the longer run's.
    const steps = await page.evaluate<string>(
      'JSON.parse(document.getElementById("data").textContent).runs.map(({ steps }) => steps).join()',
    );
    expect(steps).toBe('30,40');
    const all = await drawn(page, '#loss');
    await page.locator('#loss .toggles button', { hasText: 'first run' }).click();
    expect(await drawn(page, '#loss')).not.toBe(all);
    expect(complaints).toEqual([]);
    expect(requests).toEqual([page.url()]);
    await page.close();
  },
);

test('different engines, a budget far above, a run of 0 steps: said on the page', async () => {
  const other = { ...timedRun(3, 2 ** 40), engine: { name: 'wasm', note: '' } };
  const none = {
    ...RECORD,
    losses: [],
    steps: { planned: 9, done: 0 },
    partial: true,
    ended: 'No.',
  };
  const gpu = { ...none, engine: { name: 'webgpu', note: '' } };
  const { page, complaints } = await open({ other, gpu });
  const notes = await page.locator('[role=note]').allInnerTexts();
  expect(notes.join(' ')).toContain('Different engines (wasm, webgpu)');
  expect(notes.join(' ')).toContain('Partial run (gpu). No.');
  expect(await page.locator('.above').innerText()).toBe(
    'The budget, 1 TiB, is far above this chart.',
  );
  expect(complaints).toEqual([]);
  await page.close();
  const alone = await open({ none });
  expect(await alone.page.locator('#loss').innerText()).toContain('No step was taken.');
  expect(alone.complaints).toEqual([]);
  await alone.page.close();
});

test('10,000 steps in five runs: everything is drawn, and it fits a phone and paper', async () => {
  const runs = Object.fromEntries([1, 2, 3, 4, 5].map((i) => [`run ${i}`, timedRun(10_000)]));
  const { page, complaints } = await open(runs, { viewport: { width: 390, height: 844 } });
  expect(await page.locator('canvas').count()).toBe(11);
  // 40,001 events, of which 8,192 are kept.
  expect(await page.locator('#memory .above').first().innerText()).toMatch(/^Faded: /);
  expect(await page.evaluate<boolean>('document.documentElement.scrollWidth > innerWidth')).toBe(
    false,
  );
  expect((await page.pdf({ format: 'A4' })).length).toBeGreaterThan(10_000);
  expect(complaints).toEqual([]);
  await page.close();
});

async function open(runs: Record<string, RunRecord>, screen: BrowserContextOptions = {}) {
  const path = join(folder, 'report.html');
  const named = Object.entries(runs).map(([name, record]) => ({ name, record }));
  writeFileSync(path, renderReport(named));
  const page = await browser.newPage({ viewport: { width: 1200, height: 900 }, ...screen });
  const complaints: string[] = [];
  const requests: string[] = [];
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => requests.push(request.url()));
  await page.goto(pathToFileURL(path).href);
  return { page, complaints, requests };
}

async function hover(page: Page, over: Locator, share: number): Promise<void> {
  await over.scrollIntoViewIfNeeded();
  const box = await over.boundingBox();
  if (box === null) throw new Error('There is no chart.');
  await page.mouse.move(box.x + share * box.width, box.y + box.height / 2);
}

function drawn(page: Page, section: string): Promise<string> {
  return page.evaluate<string>(`document.querySelector('${section} canvas').toDataURL()`);
}
