// What the numbers were measured on.

import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, release, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { commitHere } from '../commit.js';
import { describeNvidia } from './driver-meter.js';
import type { AdapterRecord, MachineRecord } from './record.js';

const NVIDIA_FIELDS = [
  'name',
  'driver_version',
  'memory.total',
  'pcie.link.gen.max',
  'pcie.link.width.max',
];

export async function describeMachine(
  adapter: AdapterRecord,
  tfjsVersion: string,
  commit: string | undefined,
): Promise<MachineRecord> {
  const [cpu] = cpus();
  return {
    adapter,
    // Beside a software adapter a GPU that is there, too, has nothing to do with the numbers.
    nvidia: adapter.software ? null : await describeNvidia(NVIDIA_FIELDS),
    cpu: cpu?.model.trim() ?? 'unknown',
    cores: cpus().length,
    ramBytes: totalmem(),
    platform: `${process.platform} ${process.arch} ${release()}`,
    versions: {
      node: process.versions.node,
      tfjs: tfjsVersion,
      webgpu: versionOf('webgpu'),
      slowlane: versionOf('slowlane'),
    },
    commit: commit ?? (await commitHere()),
  };
}

/** For a file name: `nvidia-h100-pcie`. */
export function slugOf({ adapter, nvidia }: MachineRecord): string {
  const slug = (nvidia?.['name'] ?? adapter.name)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '');
  return slug === '' ? 'unnamed' : slug.slice(0, 60);
}

function versionOf(name: string): string {
  const require = createRequire(import.meta.url);
  try {
    const { version } = require(`${name}/package.json`) as { version: string };
    return version;
  } catch {
    return packageVersionAbove(name) ?? 'unknown';
  }
}

/** A package whose `exports` leave out its package.json. */
function packageVersionAbove(name: string): string | null {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const file = join(folder, 'node_modules', name, 'package.json');
    if (existsSync(file))
      return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
    const above = dirname(folder);
    if (above === folder) return null;
    folder = above;
  }
}
