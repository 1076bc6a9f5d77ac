// Trains in a browser on SwiftShader, in its page and in a worker, cross-origin isolated and not. Exit code 0: all is well.
//   npx tsx test/ports/browsers.ts chromium|firefox

import { launchChromium } from '../browser/chromium.js';
import { openSite } from '../browser/site.js';
import { swiftShaderEnvironment } from '../engines/webgpu/swiftshader.js';
import { firefoxCommand, firefoxVersion, inFirefox, withAnswer } from './firefox.js';
import type { Smoke } from './browser-page/trained.js';

const LIMIT_MS = 120_000;
const ISOLATED = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

type Open = (url: string) => Promise<Smoke>;

async function chromium(): Promise<{ name: string; open: Open; close: () => Promise<void> }> {
  const browser = await launchChromium({ webgpu: true });
  const open: Open = (url) =>
    withAnswer<Smoke>(url, LIMIT_MS, 'Chromium', async (target) => {
      const page = await browser.newPage();
      await page.goto(target);
      return () => page.close();
    });
  return { name: `Chromium ${browser.version()}`, open, close: () => browser.close() };
}

function firefox() {
  const command = firefoxCommand();
  if (command === null)
    throw new Error('Firefox is not here: install firefox-esr, or set FIREFOX.');
  const environment = swiftShaderEnvironment();
  const open: Open = (url) => inFirefox<Smoke>(command, url, environment, LIMIT_MS);
  return { name: firefoxVersion(command), open, close: () => Promise.resolve() };
}

const [wanted] = process.argv.slice(2);
if (wanted !== 'chromium' && wanted !== 'firefox') {
  throw new RangeError(`No browser ${wanted}: use chromium or firefox.`);
}
const { name, open, close } = await (wanted === 'chromium' ? chromium() : firefox());
try {
  for (const isolated of [false, true]) {
    const site = await openSite('test/ports/browser-page', false, isolated ? ISOLATED : {});
    for (const query of ['', '?worker']) {
      const { faults, isIsolated, bindingMiB } = await open(site.url + query);
      if (faults.length > 0) process.exitCode = 1;
      const where = `${query === '' ? 'page' : 'worker'}, ${isIsolated ? '' : 'not '}isolated`;
      const said = faults.length === 0 ? `trains, resumes to the bit` : faults.join('; ');
      console.log(`${name}, ${where}: ${said}; a binding up to ${bindingMiB} MiB`);
      if (isIsolated !== isolated) throw new Error(`The page is ${where}.`);
    }
    await site.close();
  }
} finally {
  await close();
}
