// Milliseconds of a step in Firefox, without and with the empty submissions that end a wait (engines/webgpu/waiting.ts).
//   npx tsx test/ports/firefox-waits.ts     (7 minutes)
// The driver is SwiftShader unless the environment names one (VK_DRIVER_FILES).

import { cpus, loadavg } from 'node:os';

import { openSite } from '../browser/site.js';
import { swiftShaderEnvironment } from '../engines/webgpu/swiftshader.js';
import { firefoxCommand, firefoxVersion, inFirefox } from './firefox.js';
import type { Waits } from './waits-page/main.js';

const LIMIT_MS = 9 * 60_000;

const command = firefoxCommand();
if (command === null) throw new Error('Firefox is not here: install firefox-esr, or set FIREFOX.');
const site = await openSite('test/ports/waits-page', false);
const named = process.env['VK_DRIVER_FILES'] !== undefined;
try {
  const environment = named ? {} : swiftShaderEnvironment();
  const found = await inFirefox<Waits | { failed: string }>(
    command,
    site.url,
    environment,
    LIMIT_MS,
  );
  if ('failed' in found) throw new Error(found.failed);
  const driver = named ? `the driver of ${process.env['VK_DRIVER_FILES']}` : 'SwiftShader';
  console.log(
    `${firefoxVersion(command)}, headless, WebGPU on ${driver} (the adapter's name: ${found.adapter}); ` +
      `${cpus().length} × ${cpus()[0]?.model.trim()}; load ${loadavg()[0]?.toFixed(1)}.`,
  );
  console.log('ms of a step, mean of 15 and finish(): without, with, without, with, …\n');
  for (const [name, ms] of Object.entries(found.ms)) {
    const shown = (values: readonly number[]) => values.map((one) => one.toFixed(1)).join('  ');
    console.log(`${name}\n  without  ${shown(ms.without)}\n  with     ${shown(ms.with)}`);
  }
} finally {
  await site.close();
}
