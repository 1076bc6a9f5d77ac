// A run owns its folder: run.lock names the process that writes there. The lock of a process that is gone counts for
// nothing.

import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

import { isNotFound, kindOf, RunError } from './cli-error.js';

const LOCK = 'run.lock';

export interface Owner {
  readonly tool: 'slowlane';
  readonly pid: number;
  readonly host: string;
  /** ISO 8601. */
  readonly since: string;
  /** When the process began, as the system counts it; null where it does not say. A pid may be given again. */
  readonly processStart: string | null;
}

/** Resolves to what gives the folder free. @throws RunError if another run that may still go on owns it. */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const path = join(folder, LOCK);
  const owner: Owner = {
    tool: 'slowlane',
    pid: process.pid,
    host: hostname(),
    since: new Date().toISOString(),
    processStart: await processStart(process.pid),
  };
  const text = `${JSON.stringify(owner)}\n`;
  while (!(await create(path, text))) await removeStale(path, folder);
  const removeAtExit = () => rmSync(path, { force: true });
  process.once('exit', removeAtExit);
  return async () => {
    process.off('exit', removeAtExit);
    await rm(path, { force: true });
  };
}

/** The process that writes to `folder`, as far as this machine can know; null without one. */
export async function ownerOf(folder: string): Promise<Owner | null> {
  const owner = ownerIn(await contentOf(join(folder, LOCK)));
  return owner !== null && (await mayRun(owner)) ? owner : null;
}

/** False if there is one. */
async function create(path: string, text: string): Promise<boolean> {
  const aside = nameBeside(path);
  try {
    await writeFile(aside, text, { flag: 'wx' });
    try {
      await link(aside, path); // whole from the first moment, and it never replaces another
    } catch (error) {
      if (kindOf(error) === 'EEXIST') return false;
      await writeFile(path, text, { flag: 'wx' }); // a file system without links
    }
    return true;
  } catch (error) {
    if (kindOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(aside, { force: true });
  }
}

async function removeStale(path: string, folder: string): Promise<void> {
  const text = await contentOf(path);
  if (text === null) return;
  const owner = ownerIn(text);
  if (owner === null || (await mayRun(owner))) throw inUse(folder, path, owner);
  const aside = nameBeside(path);
  try {
    await rename(path, aside);
  } catch (error) {
    if (isNotFound(error)) return; // another run took it over
    throw error;
  }
  const moved = await contentOf(aside);
  if (moved !== text) await link(aside, path).catch(() => {}); // it was that of another run already
  await rm(aside, { force: true });
}

async function mayRun({ pid, host, processStart: began }: Owner): Promise<boolean> {
  if (host !== hostname()) return true; // nobody here knows
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (kindOf(error) === 'ESRCH') return false;
  }
  const now = await processStart(pid);
  return began === null || now === null || now === began;
}

/** In ticks since the machine started, on Linux. */
async function processStart(pid: number): Promise<string | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The name of the program stands in brackets and may contain any character; the 20th word behind it is the start.
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? null;
}

async function contentOf(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}

function ownerIn(text: string | null): Owner | null {
  try {
    const owner = JSON.parse(text ?? 'null') as Owner | null;
    const isOurs = owner?.tool === 'slowlane' && Number.isSafeInteger(owner.pid) && owner.pid > 0;
    return isOurs ? owner : null;
  } catch {
    return null;
  }
}

function inUse(folder: string, path: string, owner: Owner | null): RunError {
  if (owner === null) {
    return new RunError(
      `${path} exists and was not written by slowlane; it is left as it is.`,
      'Move it away, or give another folder: --out DIR',
    );
  }
  const { pid, host, since } = owner;
  const isHere = host === hostname();
  return new RunError(
    `${folder} belongs to another run, which began ${since} (process ${pid}${isHere ? '' : ` on ${host}`}).`,
    `Give another folder: --out DIR, or wait for its end${isHere ? '' : `. If it has ended, delete ${path}`}`,
  );
}

function nameBeside(path: string): string {
  return `${path}.${randomBytes(6).toString('hex')}.unfinished`;
}
