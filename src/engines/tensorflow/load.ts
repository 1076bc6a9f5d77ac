/** Finds tfjs-node-gpu or tfjs-node and loads it, with what it needs set before. Node alone. */
import { existsSync, readFileSync } from 'node:fs';
import { Module } from 'node:module';
import { constants } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import util from 'node:util';
import { loadError, TensorFlowLoadError } from './load-error.js';

/** The GPU package first: without a GPU it computes on the CPU as the other does. */
const PACKAGES = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'] as const;

// Webpack puts `undefined` in place of calls of an imported `createRequire`.
const { createRequire } = Module;

/** Names the folder of a package that is not among the project's own. */
const FOLDER_VARIABLE = 'SLOWLANE_TENSORFLOW';

interface Found {
  readonly name: string;
  /** The package's main file. */
  readonly main: string;
}

/** Resolves to the name of the package that was loaded. @throws TensorFlowLoadError */
export async function loadPackage(folder = process.env[FOLDER_VARIABLE]): Promise<string> {
  prepareProcess();
  const { name, main } = folder ? packageIn(resolve(folder)) : installedPackage();
  try {
    preloadAddon(main);
    await import(/* webpackIgnore: true */ /* @vite-ignore */ pathToFileURL(main).href);
  } catch (error) {
    throw loadError(error, name);
  }
  return name;
}

function packageIn(folder: string): Found {
  const file = join(folder, 'package.json');
  try {
    const { name, main } = JSON.parse(readFileSync(file, 'utf8')) as { name: string; main: string };
    return { name, main: join(folder, main) };
  } catch (error) {
    const what = `there is no package in ${folder} (packageFolder, or ${FOLDER_VARIABLE}).`;
    throw new TensorFlowLoadError('not-installed', PACKAGES[1], what, error);
  }
}

/** One that is there and broken is not passed over: whoever installed it expects it to be used. */
function installedPackage(): Found {
  // A bundle of CommonJS has no `import.meta`.
  const here = import.meta.url as string | undefined;
  const { resolve: find } = createRequire(here ?? join(process.cwd(), 'index.js'));
  for (const name of PACKAGES) {
    try {
      return { name, main: find(name) };
    } catch {
      continue;
    }
  }
  throw new TensorFlowLoadError(
    'not-installed',
    PACKAGES[1],
    `${PACKAGES[0]} isn't installed, nor is ${PACKAGES[1]}.`,
  );
}

/**
 * Loads the addon before the package does, with all that it needs of libtensorflow looked up at once. Node looks up
 * what is called when it is called, and a function that is not there then ends the process.
 */
function preloadAddon(main: string): void {
  const { RTLD_NOW } = constants.dlopen;
  if (RTLD_NOW === undefined) return; // Windows looks everything up anyway
  const require = createRequire(main);
  const locator = require('@mapbox/node-pre-gyp') as { find(packageFile: string): string };
  const addon = locator.find(join(dirname(main), '../package.json'));
  // The package says itself that it is not there.
  if (!existsSync(addon) || require.cache[addon] !== undefined) return;
  const loaded = new Module(addon);
  process.dlopen(loaded, addon, RTLD_NOW);
  loaded.loaded = true;
  require.cache[addon] = loaded;
}

function prepareProcess(): void {
  // Else TensorFlow takes the whole card at once.
  process.env['TF_FORCE_GPU_ALLOW_GROWTH'] ??= 'true';
  // Warnings and errors, without the announcements.
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '1';
  // Node 23 removed a function that tfjs-node 4.22 calls in nearly every op.
  const node = util as { isNullOrUndefined?: unknown; isArray?: unknown };
  node.isNullOrUndefined ??= (value: unknown) => value === null || value === undefined;
  node.isArray ??= Array.isArray;
}
