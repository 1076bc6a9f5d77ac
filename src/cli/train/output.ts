// The folder that a run owns and writes to. It is checked before training starts, and only files of earlier runs are
// overwritten.

import { lstat, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { recipeOf } from '../../report/parts.js';
import { isReport, renderReport } from '../../report/report.js';
import { isRunRecord } from '../../records/read-record.js';
import { type RunRecord, runRecordToJson } from '../../records/run-record.js';
import { reasonOf, RunError } from '../terminal/cli-error.js';
import { lockFolder } from '../terminal/folder-lock.js';
import {
  cannotWrite,
  checkReplaceable,
  OTHER_FOLDER,
  type OwnFile,
  replaceFile,
} from '../terminal/own-file.js';

export interface Output {
  readonly recordPath: string;
  readonly reportPath: string;
  /** Writes both files, each whole or not at all. */
  write(record: RunRecord): Promise<void>;
  /** Writes the record alone. */
  writeRecord(record: RunRecord): Promise<void>;
  /** From here on the folder may belong to another run. */
  release(): Promise<void>;
}

/**
 * Makes `folder` if needed, takes possession of it, and checks that both files can be written there.
 *
 * @throws RunError if another run owns it, if it is not writable, or if something else has the name of a file.
 */
export async function prepareOutput(folder: string): Promise<Output> {
  await makeOutputFolder(folder);
  const record: OwnFile = {
    path: join(folder, 'run.json'),
    isOurs: isRunRecord,
    remedies: OTHER_FOLDER,
  };
  const report: OwnFile = {
    path: join(folder, 'report.html'),
    isOurs: isReport,
    remedies: OTHER_FOLDER,
  };
  const release = await owned(folder, record);
  try {
    await removeUnfinished(folder);
    await checkReplaceable(record);
    await checkReplaceable(report);
  } catch (error) {
    await release();
    throw error;
  }
  const writeRecord = (content: RunRecord) => replaceFile(record, runRecordToJson(content));
  return {
    recordPath: record.path,
    reportPath: report.path,
    writeRecord,
    async write(content) {
      await writeRecord(content);
      await replaceFile(report, renderReport([{ name: recipeOf(content), record: content }]));
    },
    release,
  };
}

async function owned(folder: string, record: OwnFile): Promise<() => Promise<void>> {
  try {
    return await lockFolder(folder);
  } catch (error) {
    if (error instanceof RunError) throw error;
    throw cannotWrite(record.path, error, OTHER_FOLDER.unwritable);
  }
}

const UNFINISHED = /^(run\.json|report\.html|run\.lock)\.[0-9a-f]{12}\.unfinished$/;

/** What runs left here that were killed while they wrote. */
async function removeUnfinished(folder: string): Promise<void> {
  for (const name of (await readdir(folder)).filter((one) => UNFINISHED.test(one))) {
    const path = join(folder, name);
    if ((await lstat(path)).isFile()) await rm(path, { force: true });
  }
}

async function makeOutputFolder(folder: string): Promise<void> {
  try {
    await makeFolder(resolve(folder));
  } catch (error) {
    throw new RunError(
      `--out ${folder} can't be written to: ${reasonOf(error)}.`,
      OTHER_FOLDER.unwritable,
      { cause: error },
    );
  }
}

/** Not with Node's `recursive`, which never returns if a parent takes no entries, like /proc. */
export async function makeFolder(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() === true) return;
  if (found !== undefined) throw new Error(`${path} is not a folder`);
  await makeFolder(dirname(path));
  await mkdir(path);
}
