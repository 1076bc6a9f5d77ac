// Files that a run writes in one piece or not at all, over its own earlier ones only: under a name that
// nobody else has, then renamed. No link is followed on the way.

import { randomBytes } from 'node:crypto';
import { type FileHandle, lstat, open, readFile, rename, rm } from 'node:fs/promises';
import { isNotFound, reasonOf, RunError } from './cli-error.js';

export interface OwnFile {
  readonly path: string;
  /** Whether this content is what an earlier run wrote here. */
  readonly isOurs: (text: string) => boolean;
}

/** About what a report has: a disk with less left is full. */
const PROBE = ' '.repeat(256 * 1024);
const ELSEWHERE = 'Move it away, or give another folder: --out DIR';
const WRITABLE = 'Give a folder that you may write to: --out DIR';

/** Goes the way of `replaceFile`, and leaves everything as it was. */
export async function checkReplaceable(file: OwnFile): Promise<void> {
  const earlier = await readEarlier(file);
  const aside = await writeAside(file.path, PROBE);
  const renamed = nameBeside(file.path);
  try {
    await rename(aside, renamed);
  } catch (error) {
    throw cannotWrite(file.path, error, WRITABLE);
  } finally {
    await rm(aside, { force: true });
    await rm(renamed, { force: true });
  }
  // That a new name can be taken doesn't say that the old one may be replaced.
  if (earlier !== undefined) await replaceFile(file, earlier);
}

export async function replaceFile(file: OwnFile, text: string): Promise<void> {
  const aside = await writeAside(file.path, text);
  try {
    await readEarlier(file); // somebody may have put another file there meanwhile
    await rename(aside, file.path);
  } catch (error) {
    const reason = error instanceof RunError ? error.message : undefined;
    const remedy = `What belongs there is in ${aside}`;
    throw reason === undefined
      ? cannotWrite(file.path, error, remedy)
      : new RunError(reason, remedy, { cause: error });
  }
}

/** The content that may be replaced; undefined where there is none. Throws where it isn't ours. */
async function readEarlier({ path, isOurs }: OwnFile): Promise<string | undefined> {
  let text: string;
  try {
    const found = await lstat(path);
    if (!found.isFile()) throw new Error('it is a link, a folder or a device, not a regular file');
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw new RunError(`${path} is in the way: ${reasonOf(error)}.`, ELSEWHERE, { cause: error });
  }
  if (text === '' || isOurs(text)) return text;
  throw new RunError(
    `${path} exists and was not written by slowlane; it is left as it is.`,
    ELSEWHERE,
  );
}

async function writeAside(path: string, text: string): Promise<string> {
  const aside = nameBeside(path);
  let handle: FileHandle | undefined;
  try {
    handle = await open(aside, 'wx'); // fails where anything is, a link too
    await handle.writeFile(text);
    await handle.close();
    return aside;
  } catch (error) {
    await handle?.close().catch(() => {}); // closed already, or the same error again
    if (handle !== undefined) await rm(aside, { force: true });
    throw cannotWrite(path, error, WRITABLE);
  }
}

function nameBeside(path: string): string {
  return `${path}.${randomBytes(6).toString('hex')}.unfinished`;
}

function cannotWrite(path: string, error: unknown, remedy: string): RunError {
  return new RunError(`${path} can't be written: ${reasonOf(error)}.`, remedy, { cause: error });
}
