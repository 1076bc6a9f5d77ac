/** Finds tfjs-node-gpu or tfjs-node and loads it, with what it needs set before. Node alone. */
import util from 'node:util';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { loadError, TensorFlowLoadError } from './load-error.js';

/** The GPU package first: without a GPU it computes on the CPU as the other does. */
const PACKAGES = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'] as const;

/** Names the folder of a package that is not among the project's own. */
const FOLDER_VARIABLE = 'SLOWLANE_TENSORFLOW';

/** Resolves to the name of the package that was loaded. @throws TensorFlowLoadError */
export async function loadPackage(folder = process.env[FOLDER_VARIABLE]): Promise<string> {
  prepareProcess();
  if (folder !== undefined && folder !== '') return loadFrom(resolve(folder));
  for (const name of PACKAGES) {
    try {
      await import(/* @vite-ignore */ name);
      return name;
    } catch (error) {
      // One that is there and broken is not passed over: whoever installed it expects it to be used.
      if (!isMissing(error, name)) throw loadError(error, name);
    }
  }
  throw new TensorFlowLoadError(
    'not-installed',
    PACKAGES[1],
    `${PACKAGES[0]} isn't installed, nor is ${PACKAGES[1]}.`,
  );
}

async function loadFrom(folder: string): Promise<string> {
  let name: string = PACKAGES[1];
  try {
    const { name: said, main } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
      name: string;
      main: string;
    };
    name = said;
    await import(/* @vite-ignore */ pathToFileURL(join(folder, main)).href);
    return name;
  } catch (error) {
    if (isNoFile(error)) {
      const what = `there is no package in ${folder} (packageFolder, or ${FOLDER_VARIABLE}).`;
      throw new TensorFlowLoadError('not-installed', name, what, error);
    }
    throw loadError(error, name);
  }
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

function isMissing(error: unknown, name: string): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false;
  const codes: unknown[] = ['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'];
  // Not anywhere in the message: it may be a dependency of the package that is missing.
  return codes.includes(error.code) && new RegExp(`(package|module) '${name}'`).test(error.message);
}

function isNoFile(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
