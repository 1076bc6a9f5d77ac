// The page of smoke-page/ in Firefox, on the driver that the environment names: npx tsx test/ports/firefox-smoke.ts

import { openSite } from '../browser/site.js';
import { firefoxCommand, firefoxVersion, inFirefox } from './firefox.js';

const LIMIT_MS = 3 * 60_000;

const command = firefoxCommand();
if (command === null) throw new Error('Firefox is not here: install firefox-esr, or set FIREFOX.');
const site = await openSite('test/ports/smoke-page', false);
try {
  const found = await inFirefox<{ adapter: string } | { failed: string }>(
    command,
    site.url,
    {},
    LIMIT_MS,
  );
  if ('failed' in found) throw new Error(found.failed);
  console.log(`${firefoxVersion(command)}\npassed on ${found.adapter}`);
} finally {
  await site.close();
}
