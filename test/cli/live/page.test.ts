// `slowlane train --live` as its reader sees it: a page that follows a run in a real browser, and nothing in the
// reader's hands is made anew.

import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { startLivePage } from '#src/cli/live/server.js';
import type { RunRecord } from '#src/records/run-record.js';
import { launchChromium } from '../../browser/chromium.js';
import { readRecord, slowlane, temporaryFolder } from '../run-cli.js';
import { timedRun } from '../../report/timelines.js';
import { listenTo } from './client.js';

let browser: Browser;

beforeAll(async () => {
  browser = await launchChromium({ webgpu: false });
}, 120_000);

afterAll(() => browser?.close());

test('a page that is open follows a run to its end, without loading again', async () => {
  const out = temporaryFolder();
  let opened: ReturnType<typeof open> | undefined;
  const { code, stdout } = await slowlane(
    `train --engine wasm --steps 250 --batch-size 64 --validate-every 150 --timeline --live --out ${out}`.split(
      ' ',
    ),
    { onStart: (child) => onAddress(child.stdout, (url) => void (opened = watch(url))) },
  );
  expect(code).toBe(0);
  const { page, complaints, requests, seen } = (await opened) ?? never();
  await expect.poll(() => noteOf(page)).toContain('The run has ended.');
  expect(await noteOf(page)).toContain(`${out}/report.html`);
  expect(seen.length).toBeGreaterThan(1); // steps, while it ran
  expect(await page.locator('tr', { hasText: 'Steps' }).first().innerText()).toMatch(/250$/);
  expect(await page.locator('.tiles').innerText()).toContain('Test accuracy');
  expect(await lastPoint(page, '#loss')).toMatch(/^step 250: .*test, slow weights/);
  expect(await lastPoint(page, '#times')).toMatch(/^step 250: took/);
  for (const section of ['#memory', '#loss', '#times']) {
    expect(await page.locator(`${section} canvas`).isVisible()).toBe(true);
  }
  expect(await page.locator('#lost').isVisible()).toBe(false);
  expect(complaints).toEqual([]);
  const [url = ''] = /http\S+/.exec(stdout) ?? [];
  expect(requests).toEqual([url, `${url}events`]);
  await page.close();
});

test('zoom, buttons, focus, a chosen point and a selection stay; a page that loses its run says so', async () => {
  let steps = 0;
  const record = (): RunRecord => ({
    ...timedRun(steps),
    steps: { planned: 200, done: steps },
    losses: timedRun(steps).losses.slice(0, steps),
    validation: { step: [], fast: [], slow: [] },
    partial: true,
    ended: 'running',
  });
  const live = await startLivePage({ port: 0, record, warn: () => {} });
  const { page, complaints } = await open(live.url);
  expect(await page.locator('#loss').isVisible()).toBe(false); // nothing to draw yet
  steps = 20;
  await expect.poll(() => page.locator('#loss canvas').isVisible()).toBe(true);
  // A chosen category and part of the run, by keyboard; then a point of another chart.
  await page.locator('#memory button', { hasText: 'gradients' }).press('Enter');
  await page.locator('#memory button', { hasText: 'Last steps' }).press('Enter');
  await drag(page, '#loss', 0.25, 0.5);
  const chart = page.locator('#loss .uplot');
  await chart.press('Home');
  await chart.press('ArrowRight');
  const tip = page.locator('#loss .tip strong');
  expect(await tip.innerText()).toBe('step 7'); // the second of those from a quarter of 19 steps on
  await page.evaluate(`getSelection().selectAllChildren(document.querySelector('h1'))`);
  const before = await drawn(page, '#memory');
  steps = 90;
  await expect.poll(() => noteOf(page)).toContain('90 of 200');
  expect(await tip.innerText()).toBe('step 7');
  expect(await drawn(page, '#memory')).not.toBe(before); // the last steps are others now
  expect(await page.evaluate('document.activeElement.className')).toContain('uplot');
  expect(String(await page.evaluate('String(getSelection())'))).toBe('mlp on mnist');
  const pressed = await page.locator('#memory [aria-pressed=true]').allInnerTexts();
  expect(pressed).toContain('Last steps');
  expect(pressed).not.toContain('gradients');
  expect(pressed).not.toContain('Whole run');
  expect(await lastPoint(page, '#loss')).toMatch(/^step 10:/);
  await page.locator('#loss .u-over').dblclick();
  expect(await lastPoint(page, '#loss')).toMatch(/^step 90:/);
  expect(complaints).toEqual([]);
  live.close();
  await expect.poll(() => page.locator('#lost').innerText()).toContain('Connection lost.');
  expect(await page.locator('.live').isVisible()).toBe(false); // it says that the run goes on
  await page.close();
});

test('Ctrl-C, on an engine that is synchronous: the page hears of it, and the process ends as ever', async () => {
  const out = temporaryFolder();
  let stream: ReturnType<typeof listenTo> | undefined;
  const { code, stderr } = await slowlane(
    `train --engine cpu --steps 100000 --batch-size 16 --live --out ${out}`.split(' '),
    {
      env: { NODE_OPTIONS: LISTENERS_SAY_SO },
      onStart: (child) =>
        onAddress(child.stdout, (url) => {
          stream = listenTo(url);
          void stream.then(async ({ received }) => {
            await received(3);
            child.kill('SIGINT');
          });
        }),
    },
  );
  expect(code).toBe(130);
  expect(stderr.match(/somebody listens/g)).toHaveLength(1);
  const { ended, messages, state } = (await stream) ?? never();
  await ended;
  expect(messages.at(-1)?.ended).toBe(true);
  expect(state().parts.header).toContain('Stopped with Ctrl-C.');
  expect(state().data.runs[0]?.steps).toBe(readRecord(out).steps.done);
});

test('without --live nothing listens', async () => {
  const { code, stdout, stderr } = await slowlane(
    `train --engine wasm --steps 2 --batch-size 16 --out ${temporaryFolder()}`.split(' '),
    { env: { NODE_OPTIONS: LISTENERS_SAY_SO } },
  );
  expect(code).toBe(0);
  expect(stdout).not.toContain('Live');
  expect(stderr).not.toContain('somebody listens');
});

/** Loaded before everything else: whatever makes a socket listen is heard of on stderr. */
const LISTENERS_SAY_SO = `--import data:text/javascript,${encodeURIComponent(`
  import { Server } from 'node:net';
  const { listen } = Server.prototype;
  Server.prototype.listen = function (...args) {
    console.error('somebody listens');
    return listen.apply(this, args);
  };
`)}`;

function onAddress(stdout: NodeJS.ReadableStream | null, then: (url: string) => void): void {
  let text = '';
  let isFound = false;
  stdout?.on('data', (more: unknown) => {
    text += String(more);
    const [, url] = /^Live +(\S+)\n/m.exec(text) ?? [];
    if (url === undefined || isFound) return;
    isFound = true;
    then(url);
  });
}

async function open(url: string) {
  const page = await browser.newPage({ viewport: { width: 1200, height: 900 }, locale: 'en-US' });
  const complaints: string[] = [];
  const requests: string[] = [];
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => requests.push(request.url()));
  await page.goto(url);
  return { page, complaints, requests, seen: [] as string[] };
}

/** With what its note said while the run went on. */
async function watch(url: string): ReturnType<typeof open> {
  const opened = await open(url);
  const { page, seen } = opened;
  const look = async (): Promise<void> => {
    const note = await noteOf(page);
    if (!note.startsWith('Running')) return;
    if (note !== seen.at(-1)) seen.push(note);
    await page.waitForTimeout(100);
    await look();
  };
  void look();
  return opened;
}

const noteOf = (page: Page) => page.locator('.live').innerText();

/** What a screen reader says of the last point that is shown. */
async function lastPoint(page: Page, section: string): Promise<string> {
  await page.locator(`${section} .uplot`).press('End');
  return page.locator(`${section} .read`).innerText();
}

function drawn(page: Page, section: string): Promise<string> {
  return page.evaluate<string>(`document.querySelector('${section} canvas').toDataURL()`);
}

async function drag(page: Page, section: string, from: number, to: number): Promise<void> {
  const over = page.locator(`${section} .u-over`);
  await over.scrollIntoViewIfNeeded();
  const box = await over.boundingBox();
  if (box === null) throw new Error('There is no chart.');
  const y = box.y + box.height / 2;
  await page.mouse.move(box.x + from * box.width, y);
  await page.mouse.down();
  await page.mouse.move(box.x + to * box.width, y, { steps: 5 });
  await page.mouse.up();
  await page.mouse.move(0, 0);
}

function never(): never {
  throw new Error('No address was printed.');
}
