// The parts of `npm run test:ports`. Each runs commands that may be missing here: what cannot be had is skipped, with the reason.

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { driverEnvironment, lavapipe, lavapipeVersion } from '../../test/ports/driver.js';
import { firefoxCommand } from '../../test/ports/firefox.js';

export interface PartResult {
  readonly part: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  /** Numbers and versions of what ran, or why it failed or was skipped. */
  readonly notes: readonly string[];
}

/** Something that this machine lacks. */
class NotHere extends Error {}

export interface Part {
  readonly name: string;
  readonly run: (cache: string) => string[];
}

const [SWIFTSHADER, LAVAPIPE] = ['swiftshader', 'lavapipe'] as const;

export const PARTS: readonly Part[] = [
  { name: 'driver', run: countAtTheDriver },
  { name: 'lavapipe', run: suitesOnLavapipe },
  { name: 'sloppy', run: () => [vitest('vitest.ports.config.ts', { SLOWLANE_PORTS: 'sloppy' })] },
  { name: 'naga', run: validateShaders },
  { name: 'node', run: (cache) => inRuntime(cache, process.execPath, []) },
  { name: 'bun', run: (cache) => inRuntime(cache, runtime(cache, 'bun'), []) },
  { name: 'deno', run: (cache) => inRuntime(cache, runtime(cache, 'deno'), ['run', '-A']) },
  { name: 'chromium', run: () => inBrowser('chromium') },
  { name: 'firefox', run: firefoxPages },
];

export function runPart({ name, run }: Part, cache: string): PartResult {
  mkdirSync(cache, { recursive: true });
  try {
    return { part: name, outcome: 'passed', notes: run(cache) };
  } catch (error) {
    const isMissing = error instanceof NotHere;
    const notes = [error instanceof Error ? error.message : String(error)];
    return { part: name, outcome: isMissing ? 'skipped' : 'failed', notes };
  }
}

/** Runs `get`, which fetches something; its failure means that it cannot be had. */
function had<T>(what: string, get: () => T): T {
  try {
    return get();
  } catch (error) {
    const [first] = (error instanceof Error ? error.message : String(error)).split('\n');
    throw new NotHere(`${what} cannot be had here: ${first}`);
  }
}

/** @throws Error with the end of the output if the command fails. */
function must(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
  const { status, stdout, stderr } = spawnSync(command, args, { env, encoding: 'utf8' });
  if (status === 0) return stdout;
  const end = `${stdout}\n${stderr}`.trim().split('\n').slice(-15).join('\n');
  throw new Error(`${command} ended with ${status}: ${end}`);
}

function vitest(config: string, env?: NodeJS.ProcessEnv): string {
  const args = ['--no-install', 'vitest', 'run', '--config', config, '--maxWorkers', '1'];
  const said = must('npx', args, { ...process.env, ...env, NO_COLOR: '1' });
  return /Tests +(.*)/.exec(said)?.[1] ?? 'no tests';
}

type Row = Record<string, unknown> & { readonly what: string; readonly driver: string };

function countAtTheDriver(cache: string): string[] {
  had('gcc', () => execFileSync('gcc', ['--version']));
  const said = vitest('vitest.ports.config.ts');
  const rows = JSON.parse(readFileSync(join(cache, 'driver.json'), 'utf8')) as Row[];
  return [said, ...rows.map((row) => JSON.stringify(row))];
}

function suitesOnLavapipe(): string[] {
  had(LAVAPIPE, lavapipe);
  const said = vitest('vitest.ports.config.ts', { SLOWLANE_PORTS: LAVAPIPE });
  return [`mesa-vulkan-drivers ${lavapipeVersion()}`, said];
}

function validateShaders(cache: string): string[] {
  const root = join(cache, 'naga');
  const naga = join(root, 'bin/naga');
  if (!existsSync(naga)) {
    had('naga', () => must('cargo', ['install', 'naga-cli', '--root', root]));
  }
  const folder = join(cache, 'shaders');
  rmSync(folder, { recursive: true, force: true });
  const program = ['--import', 'tsx', 'test/ports/programs/shaders.ts', folder];
  const made = must(process.execPath, program, driverEnvironment(SWIFTSHADER)).trim();
  const shaders = readdirSync(folder).filter((file) => file.endsWith('.wgsl'));
  for (const file of shaders) {
    for (const output of ['spv', 'metal', 'hlsl']) {
      must(naga, [join(folder, file), join(folder, `out.${output}`)]);
    }
  }
  const version = must(naga, ['--version']).trim();
  return [`naga ${version}`, `${shaders.length} modules, each as SPIR-V, MSL and HLSL`, made];
}

function runtime(cache: string, name: 'bun' | 'deno'): string {
  const prefix = join(cache, 'runtimes');
  const command = join(prefix, 'node_modules/.bin', name);
  if (existsSync(command)) return command;
  const args = ['install', '--no-audit', '--no-fund', '--prefix', prefix, name];
  had(name, () => must('npm', args));
  return command;
}

/** The programs of the built package, with the runtime's WebGPU and with npm's `webgpu`. */
function inRuntime(_: string, command: string, args: readonly string[]): string[] {
  const env = driverEnvironment(SWIFTSHADER);
  return [[], ['--default-limits'], ['--package']].map((options) => {
    const said = must(command, [...args, 'test/ports/runtimes.mjs', ...options], env);
    const [on = '', adapter = ''] = said.split('\n');
    return [...options, on, adapter].join(', ');
  });
}

function firefoxPages(): string[] {
  if (firefoxCommand() === null) throw new NotHere('Firefox is not installed (firefox-esr).');
  return inBrowser('firefox');
}

/** Page and worker, cross-origin isolated and not. */
function inBrowser(name: 'chromium' | 'firefox'): string[] {
  const program = ['--import', 'tsx', 'test/ports/browsers.ts', name];
  return must(process.execPath, program).trim().split('\n');
}
