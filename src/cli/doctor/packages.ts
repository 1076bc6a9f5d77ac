// The installed versions of the packages that slowlane works with.

import { join } from 'node:path';

import type { Machine } from './machine.js';
import type { PackageReport } from './report.js';

const PACKAGES = [
  '@tensorflow/tfjs-core',
  '@tensorflow/tfjs-layers',
  '@tensorflow/tfjs-backend-webgpu',
  '@tensorflow/tfjs-backend-wasm',
  '@tensorflow/tfjs-backend-cpu',
  'webgpu',
  '@tensorflow/tfjs-node-gpu',
  '@tensorflow/tfjs-node',
] as const;

export function examinePackages(machine: Machine): Promise<PackageReport[]> {
  return Promise.all(
    PACKAGES.map(async (name) => ({ name, version: await versionOf(machine, name) })),
  );
}

/** null if it is not installed. */
export async function versionOf(
  { packageFolder, readText }: Machine,
  name: string,
): Promise<string | null> {
  const folder = packageFolder(name);
  if (folder === null) return null;
  const text = await readText(join(folder, 'package.json'));
  return (JSON.parse(text) as { version: string }).version;
}
