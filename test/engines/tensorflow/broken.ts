// Set-ups of tfjs-node that are broken the way real ones are: the real addon, with a part missing or replaced.

import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';

import { moduleAt } from '../../built.js';
import { evaluated } from '../../cli/run-cli.js';

const WHOLE = process.env['SLOWLANE_TENSORFLOW'] ?? '';
const ADDON = 'lib/napi-v8/tfjs_binding.node';

/** A copy of the package without its native parts, where it still finds what it depends on. */
export function copyOfPackage(): string {
  const folder = mkdtempSync(join(dirname(dirname(dirname(WHOLE))), 'broken-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  cpSync(join(WHOLE, 'dist'), join(folder, 'dist'), { recursive: true });
  cpSync(join(WHOLE, 'package.json'), join(folder, 'package.json'));
  return folder;
}

/** Puts the addon into the copy; where `renamed`, it asks for libtensorflow under a name that is nowhere. */
export function addAddon(folder: string, { renamed = false } = {}): void {
  mkdirSync(dirname(join(folder, ADDON)), { recursive: true });
  const addon = readFileSync(join(WHOLE, ADDON)).toString('latin1');
  const given = renamed
    ? addon.replaceAll('libtensorflow_cc.so.2', 'libtensorflow_no.so.9')
    : addon;
  writeFileSync(join(folder, ADDON), given, 'latin1');
}

/**
 * A folder with a libtensorflow that has none of TensorFlow's functions, for LD_LIBRARY_PATH; it may need a library
 * that is nowhere.
 */
export function otherLibtensorflow(folder: string, needs?: string): string {
  const link = (name: string, libraries: readonly string[]) => {
    const options = ['-shared', '-fPIC', '-Wl,--no-as-needed', `-Wl,-soname,${name}`];
    const source = join(folder, 'nothing.c');
    writeFileSync(source, '');
    execFileSync('cc', [...options, source, ...libraries, '-o', join(folder, name)]);
  };
  if (needs !== undefined) link(needs, []);
  link('libtensorflow_cc.so.2', needs === undefined ? [] : [join(folder, needs)]);
  if (needs !== undefined) rmSync(join(folder, needs));
  return folder;
}

const PROGRAM = `
const { startTensorFlow, TensorFlowLoadError } = await import(process.argv[1]);
const [, , folder, before] = process.argv;
if (before) await import('data:text/javascript,' + encodeURIComponent(before));
try {
  const { backend, memory, ...engine } = await startTensorFlow({ packageFolder: folder });
  console.log(JSON.stringify(engine));
} catch (error) {
  if (!(error instanceof TensorFlowLoadError)) throw error;
  console.log(JSON.stringify({ problem: error.problem, message: error.message }));
}
`;

/** What the engine says of the package in `folder`, in a process of its own. */
export async function started(
  folder: string,
  { libraries = '', before = '' } = {},
): Promise<Record<string, unknown>> {
  const kept = process.env['LD_LIBRARY_PATH'];
  if (libraries) process.env['LD_LIBRARY_PATH'] = libraries; // the linker reads it as a process begins
  const running = evaluated(PROGRAM, [moduleAt('src/engines/tensorflow/index.js'), folder, before]);
  if (kept === undefined) delete process.env['LD_LIBRARY_PATH'];
  else process.env['LD_LIBRARY_PATH'] = kept;
  const { stdout, stderr } = await running;
  try {
    return JSON.parse(stdout) as Record<string, unknown>;
  } catch {
    throw new Error(`The process said: ${stdout} ${stderr}`);
  }
}
