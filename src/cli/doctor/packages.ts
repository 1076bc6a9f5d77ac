// The installed versions of the packages that slowlane works with, and whether tfjs-node and tfjs-node-gpu are whole, by
// their files. Nothing is loaded here, because a native module may crash. The probe of the engine finds whether they
// run, in its own process.

import { join } from 'node:path';

import type { Machine } from './machine.js';
import type { PackageReport, TensorflowReport } from './report.js';

const TENSORFLOW = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'] as const;
const PACKAGES = [
  '@tensorflow/tfjs-core',
  '@tensorflow/tfjs-layers',
  '@tensorflow/tfjs-backend-webgpu',
  '@tensorflow/tfjs-backend-wasm',
  '@tensorflow/tfjs-backend-cpu',
  'webgpu',
  ...TENSORFLOW,
] as const;

export function examinePackages(machine: Machine): Promise<PackageReport[]> {
  return Promise.all(
    PACKAGES.map(async (name) => ({ name, version: await versionOf(machine, name) })),
  );
}

/** null if it is not installed. */
async function versionOf(
  { packageFolder, readText }: Machine,
  name: string,
): Promise<string | null> {
  const folder = packageFolder(name);
  if (folder === null) return null;
  const text = await readText(join(folder, 'package.json'));
  return (JSON.parse(text) as { version: string }).version;
}

const BINDING = 'tfjs_binding.node';
/** Where the native module looks for them. */
const LIBRARIES = 'deps/lib';
const HEADERS = 'deps/include/tensorflow/core/public';
const LIBRARY = /^(lib)?tensorflow.*\.(so|dylib|dll)([.\d]*)$/;
/** It calls util.isNullOrUndefined, which Node 23 removed. */
const FIRST_NODE_WITHOUT = 23;

export function examineTensorflow(machine: Machine): Promise<TensorflowReport[]> {
  return Promise.all(TENSORFLOW.map((name) => examineOne(machine, name)));
}

async function examineOne(machine: Machine, name: string): Promise<TensorflowReport> {
  const folder = machine.packageFolder(name);
  const version = await versionOf(machine, name);
  if (folder === null || version === null) return { ...NOT_INSTALLED, name };
  const binding = await findBinding(machine, folder);
  const libraries = (await machine.list(join(folder, LIBRARIES)))
    .filter((file) => LIBRARY.test(file))
    .toSorted();
  const dangling = await danglingOf(machine, folder, libraries);
  return {
    name,
    version,
    folder,
    binding,
    libraries,
    libtensorflow: versionIn(libraries) ?? (await versionOfHeaders(machine, folder)),
    ...problemOf(machine, { name, binding, libraries, dangling }),
  };
}

const NOT_INSTALLED: Omit<TensorflowReport, 'name'> = {
  version: null,
  folder: null,
  binding: null,
  libraries: [],
  libtensorflow: null,
  problem: null,
  remedy: null,
};

/** Links to files that do not exist. */
async function danglingOf(
  machine: Machine,
  folder: string,
  libraries: readonly string[],
): Promise<string[]> {
  const found: string[] = [];
  for (const file of libraries) {
    if (!(await machine.exists(join(folder, LIBRARIES, file)))) found.push(file);
  }
  return found;
}

/** `lib/napi-v8/tfjs_binding.node`, by the version of Node-API it was built for. */
async function findBinding(machine: Machine, folder: string): Promise<string | null> {
  for (const part of await machine.list(join(folder, 'lib'))) {
    const file = join(folder, 'lib', part, BINDING);
    if (part.startsWith('napi') && (await machine.exists(file))) return file;
  }
  return null;
}

/** The longest version in names like `libtensorflow.so.2.9.1`. */
function versionIn(libraries: readonly string[]): string | null {
  const versions = libraries.map((file) => /(\d+(?:\.\d+)+)/.exec(file)?.[1] ?? '');
  return versions.toSorted((a, b) => b.length - a.length).find((version) => version !== '') ?? null;
}

/** The version in the headers that the native module was built with. null without headers. */
async function versionOfHeaders(machine: Machine, folder: string): Promise<string | null> {
  for (const file of ['release_version.h', 'version.h']) {
    const text = await machine.readText(join(folder, HEADERS, file)).catch(() => '');
    const [major, minor, patch] = ['MAJOR', 'MINOR', 'PATCH'].map(
      (part) => new RegExp(`#define TF_${part}_VERSION (\\d+)`).exec(text)?.[1],
    );
    if (major !== undefined && minor !== undefined) return [major, minor, patch ?? '0'].join('.');
  }
  return null;
}

interface Files {
  readonly name: string;
  readonly binding: string | null;
  readonly libraries: readonly string[];
  readonly dangling: readonly string[];
}

function problemOf(
  { node }: Machine,
  { name, binding, libraries, dangling }: Files,
): Pick<TensorflowReport, 'problem' | 'remedy'> {
  if (libraries.length === 0) {
    return {
      problem: `libtensorflow is missing (${LIBRARIES}): its download failed, or scripts were off`,
      remedy:
        `npm rebuild ${name} where storage.googleapis.com can be reached; else put libtensorflow ` +
        `2.9.1 into its ${LIBRARIES}`,
    };
  }
  if (dangling.length > 0) {
    return {
      problem: `${LIBRARIES} has links to files that are not there: ${dangling.join(', ')}`,
      remedy: 'Link them to the files of libtensorflow, or install the package again',
    };
  }
  if (binding === null) {
    return {
      problem: `its native module (lib/napi-v*/${BINDING}) was not built`,
      remedy: `npm rebuild ${name} --build-addon-from-source, which needs Python and a C++ compiler`,
    };
  }
  if (Number.parseInt(node, 10) >= FIRST_NODE_WITHOUT) {
    return {
      problem: `it does not run on Node ${FIRST_NODE_WITHOUT} and later, this is ${node}`,
      remedy: 'Use Node 20 or 22',
    };
  }
  return { problem: null, remedy: null };
}
