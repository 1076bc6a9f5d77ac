// Packs the build for a GPU machine without Node, npm and network: `npm run build && node scripts/pack-gpu.mjs`.
// out/slowlane-gpu.tar.xz has Node, the packages that the benchmark needs, a Vulkan loader, and `bench`, which
// starts dist/bench/gpu.js. bench/README.md says how it is used.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));
const folder = join(root, 'out/slowlane-gpu');
const archive = `${folder}.tar.xz`;

const LAUNCHER = `#!/bin/sh
# Runs the GPU benchmark from this folder; the machine's own Vulkan loader and driver come first.
here=$(cd "$(dirname "$0")" && pwd)
export LD_LIBRARY_PATH="\${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$here/lib" XDG_RUNTIME_DIR="\${XDG_RUNTIME_DIR:-/tmp}"
for icd in /etc/vulkan/icd.d /usr/share/vulkan/icd.d /usr/local/nvidia/share/vulkan/icd.d; do
  [ -z "$VK_DRIVER_FILES" ] && [ -f "$icd/nvidia_icd.json" ] && export VK_DRIVER_FILES="$icd/nvidia_icd.json"
done
exec "$here/node" "$here/dist/bench/gpu.js" --commit COMMIT "$@"
`;

const inRoot = { cwd: root };
rmSync(folder, { recursive: true, force: true });
mkdirSync(join(folder, 'lib'), { recursive: true });
execFileSync('strip', ['-s', '-o', join(folder, 'node'), process.execPath]);
for (const path of ['dist', 'package.json', ...packages()]) {
  cpSync(join(root, path), join(folder, path), { recursive: true, filter: isNeeded });
}
copyLoader();
const commit = execFileSync('git', ['describe', '--always', '--dirty', '--abbrev=12'], inRoot);
writeFileSync(join(folder, 'bench'), LAUNCHER.replace('COMMIT', commit.toString().trim()));
chmodSync(join(folder, 'bench'), 0o755);
const env = { ...process.env, XZ_OPT: '-T0 -3' };
execFileSync('tar', ['-cJf', archive, '-C', folder, '.'], { env });
rmSync(folder, { recursive: true });
console.log(relative(root, archive));

/** What an installation has, TensorFlow.js's packages, and webgpu. */
function packages() {
  const tree = execFileSync('npm', ['ls', '--omit=dev', '--all', '--parseable'], {
    ...inRoot,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const installed = tree
    .toString()
    .split('\n')
    .map((path) => relative(root, path.trim()));
  const tfjs = readdirSync(join(root, 'node_modules/@tensorflow')).map(
    (name) => `node_modules/@tensorflow/${name}`,
  );
  return [...new Set([...installed, ...tfjs, 'node_modules/webgpu'])].filter(
    (path) =>
      path.startsWith('node_modules/') &&
      !/\/@tensorflow\/tfjs-node|\/@types\/|\/@webgpu\//.test(path) &&
      existsSync(join(root, path)),
  );
}

/** Of TensorFlow.js only the bundles that Node loads, of webgpu only the addon for Linux. */
function isNeeded(path) {
  const name = relative(root, path);
  if (statSync(path).isDirectory()) return !/\/@tensorflow\/[^/]+\/(src|node_modules)$/.test(name);
  if (name.includes('/@tensorflow/'))
    return /package\.json$|\.node\.js$|\.wasm$|wasm-out/.test(name);
  if (name.endsWith('.node')) return name.includes('linux-x64');
  return !/\.(map|d\.ts|d\.mts|md)$/.test(name);
}

/** The one that the tests unpack; a machine's own goes first. */
function copyLoader() {
  const cache = join(root, '.cache');
  const unpacked = existsSync(cache) ? readdirSync(cache) : [];
  const found = unpacked.find((name) => /^swiftshader-\d/.test(name));
  if (found === undefined) console.warn('No Vulkan loader was packed: run the tests once.');
  else cpSync(join(cache, found, 'libvulkan.so.1'), join(folder, 'lib/libvulkan.so.1'));
}
