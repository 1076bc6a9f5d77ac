// Files that a run writes whole or not at all: under a temporary name, then renamed. A run replaces only its own
// earlier files, and follows no link.

import { randomBytes } from 'node:crypto';
import { type FileHandle, lstat, open, readFile, rename, rm } from 'node:fs/promises';
import { isNotFound, reasonOf, RunError } from './cli-error.js';

export interface OwnFile {
  readonly path: string;
  /** Whether this content is what an earlier run wrote here. */
  readonly isOurs: (text: string) => boolean;
  readonly remedies: Remedies;
}

/** What to do if it can't be written. */
interface Remedies {
  /** Something else is there. */
  readonly taken: string;
  readonly unwritable: string;
}

export const OTHER_FOLDER: Remedies = {
  taken: 'Move it away, or give another folder: --out DIR',
  unwritable: 'Give a folder that you may write to: --out DIR',
};

/** About the size of a report: a disk with less space counts as full. */
const PROBE = ' '.repeat(256 * 1024);

/** Goes the way of `replaceFile`, and leaves everything as it was. */
export async function checkReplaceable(file: OwnFile): Promise<void> {
  const earlier = await readEarlier(file);
  const aside = await writeAside(file, PROBE);
  const renamed = nameBeside(file.path);
  try {
    await rename(aside, renamed);
  } catch (error) {
    throw cannotWrite(file.path, error, file.remedies.unwritable);
  } finally {
    await rm(aside, { force: true });
    await rm(renamed, { force: true });
  }
  // Even if a new file can be made here, the old one may be protected.
  if (earlier !== undefined) await replaceFile(file, earlier);
}

export async function replaceFile(file: OwnFile, text: string): Promise<void> {
  const aside = await writeAside(file, text);
  try {
    await readEarlier(file); // another program may have put a file there meanwhile
    await rename(aside, file.path);
  } catch (error) {
    const reason = error instanceof RunError ? error.message : undefined;
    const remedy = `What belongs there is in ${aside}`;
    throw reason === undefined
      ? cannotWrite(file.path, error, remedy)
      : new RunError(reason, remedy, { cause: error });
  }
}

/** The content that may be replaced; undefined without a file. Throws if it is not ours. */
async function readEarlier({ path, isOurs, remedies }: OwnFile): Promise<string | undefined> {
  let text: string;
  try {
    const found = await lstat(path);
    if (!found.isFile()) throw new Error('it is a link, a folder or a device, not a regular file');
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw new RunError(`${path} is in the way: ${reasonOf(error)}.`, remedies.taken, {
      cause: error,
    });
  }
  if (text === '' || isOurs(text)) return text;
  throw new RunError(
    `${path} exists and was not written by slowlane; it is left as it is.`,
    remedies.taken,
  );
}

async function writeAside({ path, remedies }: OwnFile, text: string): Promise<string> {
  const aside = nameBeside(path);
  let handle: FileHandle | undefined;
  try {
    handle = await open(aside, 'wx'); // fails if anything has this name, even a link
    await handle.writeFile(text);
    await handle.close();
    return aside;
  } catch (error) {
    await handle?.close().catch(() => {}); // already closed, or the same error again
    if (handle !== undefined) await rm(aside, { force: true });
    throw cannotWrite(path, error, remedies.unwritable);
  }
}

function nameBeside(path: string): string {
  return `${path}.${randomBytes(6).toString('hex')}.unfinished`;
}

export function cannotWrite(path: string, error: unknown, remedy: string): RunError {
  return new RunError(`${path} can't be written: ${reasonOf(error)}.`, remedy, { cause: error });
}
