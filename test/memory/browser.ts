// A real headless Chromium: the system's, or the one that the package @sparticuz/chromium unpacks.

import { existsSync } from 'node:fs';
import packed from '@sparticuz/chromium';
import { type Browser, chromium } from 'playwright-core';

const SYSTEM = ['/usr/bin/chromium', '/usr/bin/chromium-browser'];

/** The caller closes it. */
export async function launchChromium(): Promise<Browser> {
  const system = SYSTEM.find((path) => existsSync(path));
  return chromium.launch({
    executablePath: system ?? (await packed.executablePath()),
    // Not the packed one's own list of arguments: its --single-process ends with the first page.
    args: ['--no-sandbox'],
  });
}
