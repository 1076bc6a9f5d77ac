// Runs a program in its own process on a driver that is shown as a card.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { cardEnvironment, type Card, type Driver } from './driver.js';

/** What the program printed last, as JSON. */
export function runOnCard<T>(driver: Driver, card: Card, program: string, wanted: object): T {
  const folder = mkdtempSync(join(tmpdir(), 'slowlane-ports-'));
  try {
    const file = fileURLToPath(new URL(`programs/${program}.ts`, import.meta.url));
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ['--import', 'tsx', file, JSON.stringify(wanted)],
      { env: cardEnvironment(driver, card, join(folder, 'counts')), encoding: 'utf8' },
    );
    const last = stdout.trimEnd().split('\n').at(-1) ?? '';
    if (status !== 0 || !last.startsWith('{')) {
      throw new Error(`${program} ended with ${status}:\n${stdout}\n${stderr}`);
    }
    return JSON.parse(last) as T;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
