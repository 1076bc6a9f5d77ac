// Mutation testing: are the tests themselves able to fail? Not in the gate, for it takes hours: run it at night.
//
//   npm run mutation -- [ROOM…]             all rooms, one after another; writes test/mutation/
//   npm run mutation -- ROOM --incremental  tries again only what changed in the room's sources and tests
//   npm run mutation -- ROOM --only src/formula/clipping.ts:10-40   prints the survivors, writes nothing
//   npm run mutation -- --page              writes the page anew from the results and the arguments
//
// Exits with 1 if a room has less than 90 %, a survivor without an argument in test/mutation/equivalent.json, or an
// argument without its survivor.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { swiftShaderEnvironment } from '../test/engines/webgpu/swiftshader.js';
import { page, reasonOf, type RoomResult } from './mutation/page.js';
import {
  resultOf,
  sameMutant,
  scoreOf,
  unnoticed,
  type Equivalent,
  type Result,
  type StrykerReport,
} from './mutation/result.js';
import { isRoomName, MUTATED, type RoomName } from './mutation/rooms.js';

const LEAST_SCORE = 90;
const ROOMS = Object.keys(MUTATED).filter(isRoomName);

process.chdir(fileURLToPath(new URL('../', import.meta.url)));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    incremental: { type: 'boolean', default: false },
    only: { type: 'string' },
    page: { type: 'boolean', default: false },
    concurrency: { type: 'string', default: '1' },
  },
});
const wrong = positionals.find((name) => !isRoomName(name));
if (wrong !== undefined) throw new RangeError(`No room ${wrong}: use ${ROOMS.join(', ')}.`);
const wanted = positionals.length === 0 ? ROOMS : positionals.filter(isRoomName);

if (!values.page) for (const room of wanted) mutate(room);
if (values.only === undefined) {
  const rooms = ROOMS.filter((room) => existsSync(resultFile(room))).map((room) => committed(room));
  writeFileSync('test/mutation/README.md', page(rooms));
  execFileSync('npx', ['--no-install', 'oxfmt', 'test/mutation'], { stdio: 'inherit' });
  for (const room of rooms.filter(({ room }) => wanted.some((name) => name === room))) judge(room);
}

function mutate(room: RoomName): void {
  const folder = mkdtempSync(join(tmpdir(), 'slowlane-mutation-'));
  try {
    const changed = git('status', '--porcelain', 'src', 'workers', 'test/**/*.ts') !== '';
    const run = {
      date: new Date().toISOString().slice(0, 10),
      commit: `${git('rev-parse', '--short', 'HEAD')}${changed ? '+' : ''}`,
    };
    const result = resultOf(stryker(room, folder), run);
    if (values.only !== undefined) console.log(unnoticed(result));
    else {
      mkdirSync(dirname(resultFile(room)), { recursive: true });
      writeFileSync(resultFile(room), JSON.stringify(result));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function stryker(room: RoomName, folder: string): StrykerReport {
  const config = join(folder, 'stryker.json');
  const report = join(folder, 'report.json');
  const options = {
    testRunner: 'vitest',
    vitest: { configFile: 'vitest.mutation.config.ts', related: false },
    plugins: ['@stryker-mutator/vitest-runner'],
    mutate: values.only === undefined ? MUTATED[room].sources : [values.only],
    // Words of messages are left as they are.
    mutator: { excludedMutations: ['StringLiteral'] },
    coverageAnalysis: 'perTest',
    concurrency: Number(values.concurrency),
    incremental: values.incremental,
    incrementalFile: `.cache/mutation-${room}.json`,
    force: values.only !== undefined,
    reporters: ['progress-append-only', 'clear-text', 'json'],
    clearTextReporter: { allowColor: false, reportTests: false, reportScoreTable: false },
    jsonReporter: { fileName: report },
    tempDirName: join(folder, 'sandbox'),
    ignorePatterns: ['dist', 'out', '.cache', 'bench/results'],
    timeoutMS: 10_000,
    timeoutFactor: 4, // on a busy machine a test must not pass for one that hangs
    dryRunTimeoutMinutes: 20,
    allowConsoleColors: false,
  };
  writeFileSync(config, JSON.stringify(options));
  execFileSync('npx', ['--no-install', 'stryker', 'run', config], {
    stdio: 'inherit',
    // A process has to start with the environment of SwiftShader.
    env: { ...process.env, ...swiftShaderEnvironment(), SLOWLANE_MUTATED_ROOM: room },
  });
  return JSON.parse(readFileSync(report, 'utf8')) as StrykerReport;
}

function judge({ room, result, equivalents }: RoomResult): void {
  const complaints = [
    ...(scoreOf(result) < LEAST_SCORE ? [`less than ${LEAST_SCORE} %`] : []),
    ...unnoticed(result)
      .filter((mutant) => reasonOf(mutant, equivalents) === undefined)
      .map((mutant) => `no argument for ${JSON.stringify(mutant)}`),
    ...equivalents
      .filter((argued) => !unnoticed(result).some((mutant) => sameMutant(argued, mutant)))
      .map((argued) => `no survivor for the argument ${JSON.stringify(argued)}`),
  ];
  console.log(`${room}: ${scoreOf(result).toFixed(1)} %`);
  for (const complaint of complaints) console.log(`  ${complaint}`);
  if (complaints.length > 0) process.exitCode = 1;
}

function committed(room: RoomName): RoomResult {
  const argued = readJson<Partial<Record<RoomName, Equivalent[]>>>('test/mutation/equivalent.json');
  const result = readJson<Result>(resultFile(room));
  return { room, result, equivalents: argued[room] ?? [] };
}

function resultFile(room: RoomName): string {
  return `test/mutation/results/${room}.json`;
}

function readJson<T>(file: string): T {
  return JSON.parse(readFileSync(file, 'utf8')) as T;
}

function git(...args: string[]): string {
  return execFileSync('git', args, { encoding: 'utf8' }).trim();
}
