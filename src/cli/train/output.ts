// The folder a run writes to. It is checked before training starts, and only files of earlier runs are overwritten.

import { mkdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { recipeOf } from '../../report/parts.js';
import { isReport, renderReport } from '../../report/report.js';
import { isRunRecord } from '../../records/read-record.js';
import { type RunRecord, runRecordToJson } from '../../records/run-record.js';
import { reasonOf, RunError } from '../terminal/cli-error.js';
import { checkReplaceable, OTHER_FOLDER, type OwnFile, replaceFile } from '../terminal/own-file.js';

export interface Output {
  readonly recordPath: string;
  readonly reportPath: string;
  /** Writes both files, each whole or not at all. */
  write(record: RunRecord): Promise<void>;
}

/** Makes `folder` if needed, and checks that both files can be written there. */
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
  await checkReplaceable(record);
  await checkReplaceable(report);
  return {
    recordPath: record.path,
    reportPath: report.path,
    async write(content) {
      await replaceFile(record, runRecordToJson(content));
      await replaceFile(report, renderReport([{ name: recipeOf(content), record: content }]));
    },
  };
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
