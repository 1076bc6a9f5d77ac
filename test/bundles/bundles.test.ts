// The built package inside bundles, as esbuild, webpack, rollup and vite make them of a program for Node.

import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { entry } from '../built.js';

/** Two copies of tfjs do not share an engine, and optional peers are not bundled. */
const PEERS = '^(@tensorflow/|webgpu$)';
/** What worker threads need. */
const THREADS = '^(piscina|slowlane)($|/)';

let folder: string;
let program: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'slowlane-bundles-'));
  mkdirSync(join(folder, 'node_modules'));
  // A copy, as it is installed: beside the sources bundlers would follow the paths of tsconfig.json.
  const installed = join(folder, 'node_modules/slowlane');
  for (const part of ['package.json', 'dist/src', 'dist/workers']) {
    cpSync(entry(part), join(installed, part), { recursive: true });
  }
  const { dependencies } = JSON.parse(readFileSync(entry('package.json'), 'utf8')) as {
    readonly dependencies: Readonly<Record<string, string>>;
  };
  for (const name of ['@tensorflow', ...Object.keys(dependencies)]) {
    symlinkSync(entry(`node_modules/${name}`), join(folder, 'node_modules', name));
  }
  program = join(folder, 'program.mjs');
  copyFileSync(entry('test/bundles/program.mjs'), program);
});
afterAll(() => rmSync(folder, { recursive: true }));

test('declarations name no file inside of another package, which TypeScript would not find', () => {
  const types = readdirSync(join(folder, 'node_modules/slowlane'), {
    recursive: true,
    encoding: 'utf8',
  });
  const own = types.filter((file) => file.endsWith('.d.ts'));
  expect(own.length).toBeGreaterThan(100);
  const wrong = own.filter((file) =>
    /["']@tensorflow\/[\w-]+\/dist/.test(
      readFileSync(join(folder, 'node_modules/slowlane', file), 'utf8'),
    ),
  );
  expect(wrong).toEqual([]);
});

function node(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: folder,
    encoding: 'utf8',
    timeout: 60_000,
  });
  const lines = stderr.split('\n').filter((line) => line.includes('slowlane') || status !== 0);
  return { status, stdout, lines };
}

/** What the bundled program prints. */
function bundled(bundler: string, extension: string, externals: string) {
  const file = join(folder, `${bundler}.${extension}`);
  const made = node(entry('test/bundles/bundle.mjs'), bundler, program, file, externals);
  expect(made).toMatchObject({ status: 0, lines: [] });
  return node(file);
}

// θ = 1 − .5·1 = .5, and φ = 1 + .5·(.5 − 1) = .75
test.each([
  ['esbuild-cjs', 'cjs'],
  ['esbuild-esm', 'mjs'],
  ['webpack', 'cjs'],
  ['rollup', 'mjs'],
  ['vite', 'mjs'],
])('%s: with everything bundled it trains without threads, and says why', (bundler, extension) => {
  const { status, stdout, lines } = bundled(bundler, extension, PEERS);
  expect(lines).toEqual([
    expect.stringMatching(/bundled: keep piscina and slowlane external.*Set workers: 0/),
  ]);
  expect(stdout).toBe('0.75 inline, 0.75 inline, function function, code');
  expect(status).toBe(0);
});

test.each([
  ['esbuild-cjs', 'cjs'],
  ['webpack', 'cjs'],
  ['rollup', 'mjs'],
  ['vite', 'mjs'],
])('%s: with piscina and slowlane external it has its thread', (bundler, extension) => {
  expect(bundled(bundler, extension, `${PEERS}|${THREADS}`)).toEqual({
    status: 0,
    stdout: '0.75 inline, 0.75 1 worker, function function, code',
    lines: [],
  });
});
