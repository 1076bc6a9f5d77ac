// Builds the native addon of an installed tfjs-node or tfjs-node-gpu against the libtensorflow that comes with
// TensorFlow's wheel for Python, instead of the one from 2022 that the package downloads.
//
//   npm install --ignore-scripts @tensorflow/tfjs-node@4.22.0
//   node scripts/tensorflow-addon.mjs <folder of the package> <folder "tensorflow" of the unpacked or installed wheel>
//
// Linux; needs a C++ compiler, make and Python. The libraries are linked where they lie: keep the wheel.

import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** All that the addon includes, of the 290 MB of headers in the wheel. */
export const HEADERS = [
  'tensorflow/c',
  'tensorflow/core/platform/ctstring.h',
  'tensorflow/core/platform/ctstring_internal.h',
  'tsl/platform/ctstring.h',
  'tsl/platform/ctstring_internal.h',
  'xla/tsl/c',
];

/** What the addon's build asks the linker for, and what the wheel calls it. */
const LIBRARIES = {
  'libtensorflow.so': 'libtensorflow_cc.so.2',
  'libtensorflow_framework.so': 'libtensorflow_framework.so.2',
};

/** `runsFrom`: where the wheel's folder will lie when the addon is loaded, if not where it lies now. */
export function buildAddon(packageFolder, wheelFolder, runsFrom) {
  // The linker's $ORIGIN is the folder by which a library was found: the real one, so that the CUDA wheel's
  // libraries find those of NVIDIA's wheels beside them.
  const wheel = realpathSync(wheelFolder);
  const missing = [
    join(packageFolder, 'binding.gyp'),
    ...HEADERS.slice(0, 2).map((header) => join(wheel, 'include', header)),
    ...Object.values(LIBRARIES).map((library) => join(wheel, library)),
  ].filter((file) => !existsSync(file));
  if (missing.length > 0) {
    throw new Error(
      `Not there: ${missing.join(', ')}. Give the folder of @tensorflow/tfjs-node or tfjs-node-gpu, and the ` +
        `folder 'tensorflow' of a wheel of tensorflow or tensorflow-cpu for Linux.`,
    );
  }

  const deps = join(packageFolder, 'deps');
  rmSync(deps, { recursive: true, force: true });
  mkdirSync(join(deps, 'lib'), { recursive: true });
  for (const header of HEADERS) {
    const from = join(wheel, 'include', header);
    if (existsSync(from)) cpSync(from, join(deps, 'include', header), { recursive: true });
  }
  link(deps, wheel);

  // Through npx, which tells node-pre-gyp where npm keeps its node-gyp.
  execFileSync(
    'npx',
    ['--no-install', 'node-pre-gyp', 'install', '--build-from-source', ...nodeHeaders()],
    {
      cwd: packageFolder,
      stdio: 'inherit',
      env: {
        ...process.env,
        LDFLAGS: `${process.env.LDFLAGS ?? ''} -Wl,-rpath,${runsFrom ?? wheel}`,
      },
    },
  );
  if (runsFrom !== undefined) link(deps, runsFrom);
}

/** For the linker, and for whoever looks which library this is. */
function link(deps, folder) {
  for (const [name, library] of Object.entries(LIBRARIES)) {
    const path = join(deps, 'lib', name);
    rmSync(path, { force: true });
    symlinkSync(join(folder, library), path);
  }
}

/** Node's own headers where they are installed with it; else node-gyp downloads them. */
function nodeHeaders() {
  const prefix = dirname(dirname(realpathSync(process.execPath)));
  return existsSync(join(prefix, 'include/node/node_api.h')) ? [`--nodedir=${prefix}`] : [];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [packageFolder, wheelFolder] = process.argv.slice(2);
  if (packageFolder === undefined || wheelFolder === undefined) {
    console.error(
      'Usage: node tensorflow-addon.mjs <folder of tfjs-node> <folder tensorflow of the wheel>',
    );
    process.exitCode = 1;
  } else {
    buildAddon(resolve(packageFolder), resolve(wheelFolder));
  }
}
