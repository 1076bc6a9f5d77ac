// Waits for the GPU, with a stand-in for Firefox's queue: it looks whether the GPU is done when something is submitted,
// and each 100 ms.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { mapped, workDone } from '#src/engines/webgpu/waiting.js';
import { entry } from '../../built.js';

const READ = 1;
const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0';
const OTHERS = [
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36',
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 15_0) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15',
  'Node.js/24',
  'Deno/2.9.6',
];

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

class PolledDevice {
  readonly lose: () => void;
  readonly lost: Promise<unknown>;
  submissions = 0;
  #busyUntilMs = 0;
  #waits: (() => void)[] = [];

  constructor() {
    let lose: (value: null) => void = () => {};
    this.lost = new Promise((resolve) => (lose = resolve));
    this.lose = () => lose(null);
    setInterval(() => this.#look(), 100);
  }

  /** The GPU has work for `ms` from now on. */
  work(ms: number): void {
    this.#busyUntilMs = performance.now() + ms;
  }

  readonly buffer = { mapAsync: () => this.#wait() } as unknown as GPUBuffer;
  readonly queue = {
    submit: (commands: unknown[]) => {
      expect(commands).toEqual([]);
      this.submissions += 1;
      this.#look();
    },
    onSubmittedWorkDone: () => this.#wait(),
  };

  get device(): GPUDevice {
    return this as unknown as GPUDevice;
  }

  #wait(): Promise<void> {
    return new Promise((resolve) => this.#waits.push(resolve));
  }

  #look(): void {
    if (performance.now() < this.#busyUntilMs) return;
    for (const resolve of this.#waits.splice(0)) resolve();
  }
}

/** How long `wait` takes, in the fake clock's ms. */
async function msOf(wait: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  let end = NaN;
  void wait().then(() => (end = performance.now()));
  await vi.advanceTimersByTimeAsync(1000);
  return end - start;
}

test('in Firefox a wait for an idle GPU takes no time and one empty submission', async () => {
  vi.stubGlobal('navigator', { userAgent: FIREFOX });
  const fake = new PolledDevice();
  expect(await msOf(() => mapped(fake.device, fake.buffer, READ))).toBe(0);
  expect(fake.submissions).toBe(1);
  expect(await msOf(() => workDone(fake.device))).toBe(0);
  expect(fake.submissions).toBe(2);
});

test('in Firefox a wait behind long work lasts at most an eighth or 16 ms longer than the work', async () => {
  vi.stubGlobal('navigator', { userAgent: FIREFOX });
  for (const workMs of [2, 7, 50, 90, 320]) {
    const fake = new PolledDevice();
    fake.work(workMs);
    const ms = await msOf(() => mapped(fake.device, fake.buffer, READ));
    expect(ms).toBeGreaterThanOrEqual(workMs);
    // Timers have whole milliseconds here.
    expect(ms).toBeLessThanOrEqual(workMs + Math.min(16, Math.max(1, workMs / 8)) + 1);
    // 1 ms apart up to 16 ms, then 9/8 of the time each, then 16 ms apart.
    expect(fake.submissions).toBeLessThan(50);
  }
});

test('in Firefox waits that begin together share their submissions; a later one gets its own at once', async () => {
  vi.stubGlobal('navigator', { userAgent: FIREFOX });
  const fake = new PolledDevice();
  const ten = () =>
    Promise.all(Array.from({ length: 10 }, () => mapped(fake.device, fake.buffer, READ)));
  expect(await msOf(ten)).toBe(0);
  expect(fake.submissions).toBe(1);

  fake.work(90);
  const early = mapped(fake.device, fake.buffer, READ);
  await vi.advanceTimersByTimeAsync(91); // 9 ms before Firefox looks, up to 11 ms before the next submission
  const before = fake.submissions;
  expect(await msOf(() => mapped(fake.device, fake.buffer, READ))).toBe(0);
  expect(fake.submissions).toBe(before + 1);
  await early;
});

test('in Firefox nothing is submitted once the wait is over, failed, or the device is lost', async () => {
  vi.stubGlobal('navigator', { userAgent: FIREFOX });
  const fake = new PolledDevice();
  const refusal = new Error('refused');
  const refused = { mapAsync: () => Promise.reject(refusal) } as unknown as GPUBuffer;
  await expect(mapped(fake.device, refused, READ)).rejects.toBe(refusal);
  const never = { mapAsync: () => new Promise(() => {}) } as unknown as GPUBuffer;
  void mapped(fake.device, never, READ);
  await vi.advanceTimersByTimeAsync(100);
  expect(fake.submissions).toBeGreaterThan(5);
  fake.lose();
  await vi.advanceTimersByTimeAsync(0);
  const before = fake.submissions;
  await vi.advanceTimersByTimeAsync(1000);
  expect(fake.submissions).toBe(before);
});

test('elsewhere nothing is submitted', async () => {
  for (const navigator of [undefined, {}, ...OTHERS.map((userAgent) => ({ userAgent }))]) {
    vi.stubGlobal('navigator', navigator);
    const fake = new PolledDevice();
    fake.work(50);
    await msOf(() => Promise.all([mapped(fake.device, fake.buffer, READ), workDone(fake.device)]));
    expect(fake.submissions).toBe(0);
  }
});

test('no other file waits for the GPU', () => {
  const waits = ['src', 'examples'].flatMap((folder) =>
    readdirSync(entry(folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.[cm]?[jt]s$/.test(file) && !file.includes('node_modules'))
      .filter((file) =>
        /\.(mapAsync|onSubmittedWorkDone)\(/.test(readFileSync(join(entry(folder), file), 'utf8')),
      ),
  );
  expect(waits).toEqual([join('engines', 'webgpu', 'waiting.ts')]);
});
