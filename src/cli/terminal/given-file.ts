// Files that the user named. A pipe would wait for a writer, and a device may have no end.

import { readFile, stat } from 'node:fs/promises';

import { formatBytes } from '../../checks/quantities.js';

/** Rejects with the reason if `path` is not a regular file of at most `maxBytes`. */
export async function checkRegular(path: string, maxBytes: number): Promise<void> {
  const found = await stat(path);
  if (found.isDirectory()) throw new Error('it is a folder, not a file');
  if (!found.isFile()) throw new Error('it is a pipe or a device, not a regular file');
  if (found.size > maxBytes) {
    throw new Error(`it has ${formatBytes(found.size)}, more than ${formatBytes(maxBytes)}`);
  }
}

/** The longest string that JavaScript has is not much longer. */
const MAX_TEXT_BYTES = 2 ** 28;

/** The text of a regular file. Rejects with the reason. */
export async function readText(path: string): Promise<string> {
  await checkRegular(path, MAX_TEXT_BYTES);
  return readFile(path, 'utf8');
}
