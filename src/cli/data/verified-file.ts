// Reads a file of a data set whole and checks that it is the one we know.

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { isNotFound, reasonOf, RunError } from '../cli-error.js';

export interface ExpectedFile {
  readonly path: string;
  /** SHA-256 of the content, after unpacking where the file is gzipped. */
  readonly sha256: string;
  /** A changed file of a package is an error; one that the user chose gets a warning. */
  readonly onMismatch: 'throw' | 'warn';
  /** What the user can do when the file is missing or damaged. */
  readonly remedy: string;
}

/** Returns the content of the file, unpacked if its name ends in `.gz`. */
export async function readVerified(
  file: ExpectedFile,
  warn: (message: string) => void,
): Promise<Buffer> {
  const content = unpack(file, await read(file));
  const sha256 = createHash('sha256').update(content).digest('hex');
  if (sha256 === file.sha256) return content;
  const what = `${file.path}: SHA-256 of the content is ${sha256}, expected ${file.sha256}`;
  if (file.onMismatch === 'throw') throw new RunError(`${what}.`, file.remedy);
  warn(`${what}; reading it as it is, because you chose it.`);
  return content;
}

async function read(file: ExpectedFile): Promise<Buffer> {
  try {
    return await readFile(file.path);
  } catch (error) {
    const reason = isNotFound(error) ? "it doesn't exist" : reasonOf(error);
    throw new RunError(`${file.path} can't be read: ${reason}.`, file.remedy, { cause: error });
  }
}

function unpack(file: ExpectedFile, content: Buffer): Buffer {
  if (!file.path.endsWith('.gz')) return content;
  try {
    return gunzipSync(content);
  } catch (error) {
    throw new RunError(
      `${file.path}: expected a whole gzip file, found ${content.length} bytes that don't unpack (${reasonOf(error)}).`,
      file.remedy,
      { cause: error },
    );
  }
}
