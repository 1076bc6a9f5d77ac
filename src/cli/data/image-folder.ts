// Reads the four IDX files of MNIST, or of a data set of the same format, from a folder; gzipped or not.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ImageSet } from '../../models/dataset.js';
import { type ImageFile, imageSet } from './images.js';
import { readVerified } from './verified-file.js';

/** SHA-256 of each file's content, unpacked. */
export interface ImageSums {
  readonly trainImages: string;
  readonly trainLabels: string;
  readonly testImages: string;
  readonly testLabels: string;
}

export interface ImageFolder {
  readonly name: string;
  readonly path: string;
  readonly sha256: ImageSums;
  /** Whether the user chose the folder: then other contents are allowed, with a warning. */
  readonly chosen: boolean;
  readonly remedy: string;
}

export async function readImageFolder(
  folder: ImageFolder,
  warn: (message: string) => void,
): Promise<ImageSet> {
  const { name, sha256 } = folder;
  const read = async (file: string, sum: string): Promise<ImageFile> => {
    const path = rawOrGzipped(join(folder.path, file));
    const onMismatch = folder.chosen ? 'warn' : 'throw';
    const { remedy } = folder;
    return {
      path,
      remedy,
      content: await readVerified({ path, sha256: sum, onMismatch, remedy }, warn),
    };
  };
  return imageSet(name, {
    trainImages: await read('train-images-idx3-ubyte', sha256.trainImages),
    trainLabels: await read('train-labels-idx1-ubyte', sha256.trainLabels),
    testImages: await read('t10k-images-idx3-ubyte', sha256.testImages),
    testLabels: await read('t10k-labels-idx1-ubyte', sha256.testLabels),
  });
}

function rawOrGzipped(path: string): string {
  return !existsSync(path) && existsSync(`${path}.gz`) ? `${path}.gz` : path;
}
