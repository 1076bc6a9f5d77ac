// A page of this repository as its readers get it: built by Vite, served on this machine, opened in a
// headless Chromium with everything written down that it asks for and complains about.

import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { type Alias, build, preview, type Rolldown } from 'vite';

import { againstBuild, entry } from '../built.js';

const root = againstBuild ? 'dist/src/' : 'src/';
const ext = againstBuild ? '.js' : '.ts';
/** `slowlane` is the target of the suite: the sources, or dist/. */
const TARGET: Alias[] = [
  { find: /^slowlane$/, replacement: entry(`${root}index${ext}`) },
  { find: /^slowlane\/webgpu$/, replacement: entry(`${root}engines/webgpu/index${ext}`) },
];
const NO_WORKERS: Alias = {
  find: /^#worker-blender$/,
  replacement: entry(`${root}sync/no-worker-blender${ext}`),
};

export interface Site {
  readonly url: string;
  readonly chunks: readonly Rolldown.OutputChunk[];
  close(): Promise<void>;
}

/** Builds the page in `folder` and serves it with `headers`, with its own configuration if it has one. */
export async function openSite(
  folder: string,
  configFile: string | false,
  headers: Record<string, string> = {},
): Promise<Site> {
  const page = entry(folder);
  const outDir = mkdtempSync(join(tmpdir(), 'slowlane-site-'));
  // dist/ alone finds its own through package.json's imports, as an installed package does.
  const isMapped = againstBuild && configFile === false;
  const removeFolder = () => rmSync(outDir, { recursive: true, force: true });
  try {
    const built = (await build({
      root: page,
      configFile: configFile === false ? false : join(page, configFile),
      resolve: { alias: isMapped ? TARGET : [...TARGET, NO_WORKERS] },
      build: { outDir, emptyOutDir: true },
      worker: { format: 'es' },
      logLevel: 'error',
    })) as Rolldown.RolldownOutput;
    const server = await preview({
      root: page,
      configFile: false,
      build: { outDir },
      preview: { host: '127.0.0.1', port: 0, headers },
      logLevel: 'error',
    });
    const { port } = server.httpServer.address() as AddressInfo;
    return {
      url: `http://127.0.0.1:${port}/`,
      chunks: built.output.filter((file) => file.type === 'chunk'),
      async close() {
        await server.close();
        removeFolder();
      },
    };
  } catch (error) {
    removeFolder();
    throw error;
  }
}

export interface OpenPage {
  readonly page: Page;
  /** What it wrote to the console, threw, or did not get. */
  readonly complaints: string[];
  /** Requests to anywhere but the site. */
  readonly foreign: string[];
}

/** The caller closes it. `before` is a script that runs before those of the page. */
export async function openPage(
  browser: Browser,
  { url }: Site,
  query = '',
  before = '',
): Promise<OpenPage> {
  // A language, because uPlot refuses the `en-US@posix` that Chromium has under LANG=C.
  const page = await browser.newPage({ locale: 'en-US' });
  const complaints: string[] = [];
  const foreign: string[] = [];
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', ({ message }) => complaints.push(message));
  page.on('requestfailed', (request) => complaints.push(`${request.url()} failed`));
  page.on('response', (response) => {
    if (response.status() >= 400) complaints.push(`${response.url()} is ${response.status()}`);
  });
  page.on('request', (request) => {
    const to = request.url();
    if (!to.startsWith(url) && !to.startsWith('data:')) foreign.push(to);
  });
  await page.addInitScript(before);
  await page.goto(url + query);
  return { page, complaints, foreign };
}
