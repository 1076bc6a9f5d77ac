// Other drivers, browsers and runtimes. Not in the gate, for it takes long and downloads: run it at night.
//
//   npm run test:ports              all parts; writes test/ports/results.json and test/ports/README.md
//   npm run test:ports -- PART…     these parts; the results of the others stay as they are
//
// Exits with 1 if a part failed. A part that cannot run here is skipped, and says so.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { PARTS, runPart } from './ports/parts.js';
import { portsPage, type Committed } from './ports/page.js';

process.chdir(fileURLToPath(new URL('../', import.meta.url)));
const RESULTS = 'test/ports/results.json';
const names = process.argv.slice(2);
const wrong = names.find((name) => !PARTS.some((part) => part.name === name));
if (wrong !== undefined) {
  throw new RangeError(`No part ${wrong}: use ${PARTS.map(({ name }) => name).join(', ')}.`);
}

const commit = execFileSync('git', ['rev-parse', '--short=7', 'HEAD'], { encoding: 'utf8' }).trim();
const run = new Date().toISOString().slice(0, 10);
for (const part of PARTS) {
  if (names.length > 0 && !names.includes(part.name)) continue;
  const result = runPart(part, join(process.cwd(), '.cache/ports'));
  console.log(`${result.part}: ${result.outcome.toUpperCase()}\n  ${result.notes.join('\n  ')}`);
  write({ ...result, run, commit });
  if (result.outcome === 'failed') process.exitCode = 1;
}
execFileSync('npx', ['--no-install', 'oxfmt', 'test/ports'], { stdio: 'inherit' });

/** At once, so that a run that is ended leaves what it found. */
function write(result: Committed): void {
  const known = existsSync(RESULTS)
    ? (JSON.parse(readFileSync(RESULTS, 'utf8')) as Committed[])
    : [];
  const results = PARTS.flatMap(({ name }) =>
    name === result.part ? [result] : known.filter(({ part }) => part === name),
  );
  writeFileSync(RESULTS, JSON.stringify(results, null, 2));
  writeFileSync('test/ports/README.md', portsPage(results));
}
