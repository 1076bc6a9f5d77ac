// The report as a reader sees it: in a real browser, from a file, with no network.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { reportParts } from '#src/report/parts.js';
import { isReport, renderReport } from '#src/report/report.js';
import type { RunRecord } from '#src/records/run-record.js';
import { summarize } from '#src/report/summary.js';
import { launchChromium } from '../browser/chromium.js';
import { RECORD } from './records.js';

const MIB = 2 ** 20;
const DESKTOP = { width: 1200, height: 900 };
const PHONE = { width: 390, height: 844 };

let browser: Browser;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'slowlane-report-'));
  browser = await launchChromium({ webgpu: false });
}, 120_000);

afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

describe.each([
  ['desktop, light', { viewport: DESKTOP, colorScheme: 'light' }],
  ['desktop, dark', { viewport: DESKTOP, colorScheme: 'dark' }],
  ['phone, light', { viewport: PHONE, colorScheme: 'light' }],
] as const)('on a %s screen', (_, screen) => {
  test('the curve is drawn, every number is there, nothing fails, nothing is fetched', async () => {
    const { page, complaints, requests } = await open(RECORD, screen);
    expect(await coloursInChart(page)).toBeGreaterThan(20); // axes, grid, two lines with soft edges
    const cells = await page.locator('tr').allInnerTexts();
    const plain = cells.map((text) => text.replaceAll(/\s+/g, ' '));
    for (const { label, value } of summarize(RECORD).flatMap(({ rows }) => rows)) {
      expect(plain).toContain(`${label} ${value}`);
    }
    expect(await page.locator('h1').innerText()).toBe('mlp on mnist');
    expect(await page.locator('.tiles').innerText()).toContain('96.25');
    expect(await isWiderThanScreen(page)).toBe(false);
    expect(complaints).toEqual([]);
    expect(requests).toEqual([page.url()]);
    await page.close();
  });
});

test('the chart follows the width of the window and the colours of the system', async () => {
  const { page, complaints } = await open(RECORD, { viewport: DESKTOP, colorScheme: 'light' });
  // Polled from here: the page's policy forbids the eval that playwright's own waiting needs.
  const wide = await page.locator('canvas').boundingBox();
  expect(wide?.width).toBeGreaterThan(700);
  await page.setViewportSize(PHONE);
  const width = () => page.locator('canvas').evaluate((canvas) => canvas.clientWidth);
  await expect.poll(width).toBeLessThan(PHONE.width);
  const drawn = () => page.evaluate<string>('document.querySelector("canvas")?.toDataURL()');
  const light = await drawn();
  await page.emulateMedia({ colorScheme: 'dark' });
  await expect.poll(drawn).not.toBe(light);
  expect(complaints).toEqual([]);
  await page.close();
});

test('prints', async () => {
  const { page, complaints } = await open(RECORD, { viewport: DESKTOP, colorScheme: 'dark' });
  expect((await page.pdf({ format: 'A4' })).length).toBeGreaterThan(10_000);
  expect(complaints).toEqual([]);
  await page.close();
});

test('shows a run that was stopped at once: no evaluation, no curve, a note that says so', async () => {
  const { page, complaints } = await open(
    { ...RECORD, partial: true, ended: 'Stopped with Ctrl-C.', losses: [], evaluations: [] },
    { viewport: DESKTOP },
  );
  expect(await page.locator('[role=note]').innerText()).toContain('Stopped with Ctrl-C.');
  expect(await page.locator('.results').innerText()).not.toContain('Evaluated');
  expect(complaints).toEqual([]);
  await page.close();
});

test('what a run is called cannot change the page', async () => {
  const evil = '</script><script>document.title = "taken"</script><b>&"';
  const { page, complaints } = await open(
    { ...RECORD, command: [evil], options: { evil }, model: { ...RECORD.model, name: evil } },
    { viewport: DESKTOP },
  );
  expect(await page.title()).toBe(`${evil} on mnist · slowlane`);
  expect(await page.locator('tr', { hasText: 'evil' }).locator('td').innerText()).toBe(evil);
  expect(complaints).toEqual([]);
  await page.close();
});

test.each([
  [{ host: RECORD.memory.host }, '512 KiB', 'slow weights, and 8 MiB staging'],
  [
    { host: RECORD.memory.host, reachedHostBytes: 8.5 * MIB },
    '512 KiB',
    'slow weights, and 8 MiB staging',
  ],
  [
    { host: RECORD.memory.host, reachedHostBytes: 10 * MIB },
    '10 MiB',
    'slow weights 512 KiB, staging 8 MiB, moments 1.5 MiB',
  ],
  [{ host: null, reachedHostBytes: 2 * MIB }, '2 MiB', 'moments 2 MiB'],
  [{ host: null, reachedHostBytes: 0 }, null, ''],
] as const)(
  'the tile of host memory counts moments that wait there: %o',
  (memory, value, detail) => {
    const record = { ...RECORD, memory: { ...RECORD.memory, ...memory } };
    const { tiles } = reportParts([{ name: 'a run', record }]);
    const [, shown = null, parts = ''] =
      /<dt>Host<\/dt><dd>(.*?)<small>(.*?)<\/small>/.exec(tiles) ?? [];
    expect([shown, parts.replaceAll('&nbsp;', ' ')]).toEqual([value, detail]);
  },
);

test('a report is known as ours', () => {
  expect(isReport(renderReport([{ name: 'a run', record: RECORD }]))).toBe(true);
  expect(isReport('<!doctype html><title>mine</title>')).toBe(false);
});

async function open(
  record: RunRecord,
  screen: BrowserContextOptions,
): Promise<{ page: Page; complaints: string[]; requests: string[] }> {
  const path = join(folder, 'report.html');
  writeFileSync(path, renderReport([{ name: 'a run', record }]));
  const page = await browser.newPage(screen);
  const complaints: string[] = [];
  const requests: string[] = [];
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => requests.push(request.url()));
  await page.goto(pathToFileURL(path).href);
  return { page, complaints, requests };
}

/** How many different colours the canvas holds: 1 if it is blank. */
function coloursInChart(page: Page): Promise<number> {
  return page.evaluate<number>(`(() => {
    const canvas = document.querySelector('#loss canvas');
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    return new Set(new Uint32Array(data.buffer)).size;
  })()`);
}

function isWiderThanScreen(page: Page): Promise<boolean> {
  return page.evaluate<boolean>('document.documentElement.scrollWidth > innerWidth');
}
