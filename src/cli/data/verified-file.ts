// Reads a whole file of a data set and checks its SHA-256.

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { formatBytes } from '../../checks/quantities.js';
import { checkRegular } from '../terminal/given-file.js';
import { kindOf, isNotFound, reasonOf, RunError } from '../terminal/cli-error.js';

/** A file of a data set, read. `path` and `remedy` are for errors. */
export interface DataFile {
  readonly path: string;
  readonly content: Buffer;
  readonly remedy: string;
}

/** The error of a file that does not hold what it should. */
export function unfit(
  { path, remedy }: Pick<DataFile, 'path' | 'remedy'>,
  what: string,
  options?: ErrorOptions,
): RunError {
  return new RunError(`${path}: ${what}.`, remedy, options);
}

export interface ExpectedFile {
  readonly path: string;
  /** SHA-256 of the content, after unpacking where the file is gzipped. */
  readonly sha256: string;
  /** A changed file of a package is an error; one that the user chose gets a warning. */
  readonly onMismatch: 'throw' | 'warn';
  /** What the user can do when the file is missing or damaged. */
  readonly remedy: string;
  /** Files that hold more, packed or unpacked, are refused: 512 MiB, ten times MNIST. */
  readonly maxBytes?: number;
}

const MAX_BYTES = 512 * 1024 ** 2;

/** Digits of a checksum in messages: enough to tell files apart. */
const SHOWN_DIGITS = 12;

/** Returns the content of the file, unpacked if its name ends in `.gz`. */
export async function readVerified(
  file: ExpectedFile,
  warn: (message: string) => void,
): Promise<Buffer> {
  const content = unpack(file, await read(file));
  const sha256 = createHash('sha256').update(content).digest('hex');
  if (sha256 === file.sha256) return content;
  const found = `SHA-256 ${shortened(sha256)}, expected ${shortened(file.sha256)}`;
  if (file.onMismatch === 'throw') throw unfit(file, found);
  warn(`${basename(file.path)}: ${found}; read as it is, because you chose it.`);
  return content;
}

function shortened(sha256: string): string {
  return `${sha256.slice(0, SHOWN_DIGITS)}…`;
}

async function read(file: ExpectedFile): Promise<Buffer> {
  try {
    await checkRegular(file.path, file.maxBytes ?? MAX_BYTES);
    return await readFile(file.path);
  } catch (error) {
    const reason = isNotFound(error) ? "it doesn't exist" : reasonOf(error);
    throw new RunError(`${file.path} can't be read: ${reason}.`, file.remedy, { cause: error });
  }
}

function unpack(file: ExpectedFile, content: Buffer): Buffer {
  if (!file.path.endsWith('.gz')) return content;
  const { maxBytes = MAX_BYTES } = file;
  try {
    return gunzipSync(content, { maxOutputLength: maxBytes });
  } catch (error) {
    if (kindOf(error) === 'ERR_BUFFER_TOO_LARGE') {
      throw unfit(file, `it unpacks to more than ${formatBytes(maxBytes)}`, { cause: error });
    }
    throw unfit(
      file,
      `expected a whole gzip file, found ${content.length} bytes that don't unpack (${reasonOf(error)})`,
      { cause: error },
    );
  }
}
