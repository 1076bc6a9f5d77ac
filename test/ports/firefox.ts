// A page in Firefox as Debian has it, without a driver for browsers: the page sends its answer to this process.

import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Firefox's settings: WebGPU is on for any driver, and nothing is asked of other machines. */
const SETTINGS = {
  'dom.webgpu.enabled': true,
  'dom.webgpu.workers.enabled': true,
  'gfx.webgpu.ignore-blocklist': true,
  'gfx.webrender.all': true,
  'app.update.enabled': false,
  'browser.aboutwelcome.enabled': false,
  'browser.shell.checkDefaultBrowser': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'toolkit.telemetry.server': '',
};

/** The command, or null where there is none. */
export function firefoxCommand(): string | null {
  const names = [process.env['FIREFOX'], 'firefox-esr', 'firefox'];
  for (const name of names) {
    if (name === undefined) continue;
    try {
      execFileSync(name, ['--version'], { stdio: 'ignore' });
      return name;
    } catch {
      // not there
    }
  }
  return null;
}

export function firefoxVersion(command: string): string {
  return execFileSync(command, ['--version'], { encoding: 'utf8' }).trim();
}

/**
 * `open` opens the address that it gets and resolves to what closes it. Resolves with what the page posts as JSON to the
 * address in its query's `answer`; rejects after `limitMs`, or when `fail` is called.
 */
export async function withAnswer<T>(
  url: string,
  limitMs: number,
  name: string,
  open: (target: string, fail: (why: string) => void) => Promise<() => Promise<void>>,
): Promise<T> {
  let answered: (value: T) => void = () => {};
  let failed: (error: Error) => void = () => {};
  const answer = new Promise<T>((resolve, reject) => {
    answered = resolve;
    failed = reject;
  });
  answer.catch(() => undefined); // heard below, also if it fails while the page is opened
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      // Isolated pages, too, may post to another port.
      response.setHeader('Cross-Origin-Resource-Policy', 'cross-origin').end();
      answered(JSON.parse(Buffer.concat(parts).toString()) as T);
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  const target = new URL(url);
  target.searchParams.set('answer', `http://127.0.0.1:${port}/`);
  const fail = (why: string) => failed(new Error(`${name} ${why}`));
  const limit = setTimeout(() => fail(`gave no answer in ${limitMs / 1000} s`), limitMs);
  let close: (() => Promise<void>) | undefined;
  try {
    close = await open(target.href, fail);
    return await answer;
  } finally {
    clearTimeout(limit);
    await close?.();
    server.close();
    server.closeAllConnections();
  }
}

/** The answer of the page at `url` in Firefox. `environment` names the Vulkan driver. */
export function inFirefox<T>(
  command: string,
  url: string,
  environment: NodeJS.ProcessEnv,
  limitMs: number,
): Promise<T> {
  const profile = mkdtempSync(join(tmpdir(), 'slowlane-firefox-'));
  const lines = Object.entries(SETTINGS).map(
    ([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`,
  );
  writeFileSync(join(profile, 'user.js'), lines.join(''));
  return withAnswer<T>(url, limitMs, 'Firefox', (target, fail) => {
    const firefox = spawn(command, ['--headless', '--no-remote', '--profile', profile, target], {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    firefox.stderr.on('data', (text: Buffer) => (said = `${said}${text.toString()}`.slice(-2000)));
    const isOver = new Promise<void>((over) => firefox.once('exit', () => over()));
    firefox.once('exit', (code) => fail(`ended with ${code}: ${said}`));
    return Promise.resolve(async () => {
      firefox.kill();
      await isOver;
      rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    });
  });
}
