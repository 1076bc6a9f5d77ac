// Which of the packages that slowlane works with are installed, and in which versions.

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

export function examinePackages({ packageFolder, readText }: Machine): Promise<PackageReport[]> {
  return Promise.all(
    PACKAGES.map(async (name) => {
      const folder = packageFolder(name);
      if (folder === null) return { name, version: null };
      const text = await readText(join(folder, 'package.json'));
      return { name, version: (JSON.parse(text) as { version: string }).version };
    }),
  );
}
