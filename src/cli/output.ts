// The folder a run writes to. Everything that could keep us from writing is found before training
// starts; nothing is overwritten but our own earlier files.

import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { isReport, renderReport } from '../memory/report.js';
import { isRunRecord, type RunRecord, runRecordToJson } from '../memory/run-record.js';
import { isNotFound, reasonOf, RunError } from './cli-error.js';

export interface Output {
  readonly recordPath: string;
  readonly reportPath: string;
  /** Writes both files, each in one piece or not at all. */
  write(record: RunRecord): Promise<void>;
}

/** Makes `folder` if need be, and checks that both files can be written there. */
export async function prepareOutput(folder: string): Promise<Output> {
  const recordPath = join(folder, 'run.json');
  const reportPath = join(folder, 'report.html');
  await makeWritable(folder);
  await refuseForeign(recordPath, isRunRecord);
  await refuseForeign(reportPath, isReport);
  const chart = await readChartLibrary();
  return {
    recordPath,
    reportPath,
    async write(record) {
      await replaceFile(recordPath, runRecordToJson(record));
      await replaceFile(reportPath, renderReport(record, chart));
    },
  };
}

/** Tries a real file: permissions alone don't tell (full disks, read-only mounts, root). */
async function makeWritable(folder: string): Promise<void> {
  const probe = join(folder, `.slowlane-${process.pid}`);
  try {
    await makeFolder(resolve(folder));
    await writeFile(probe, '');
    await rm(probe);
  } catch (error) {
    throw new RunError(
      `--out ${folder} can't be written to: ${reasonOf(error)}.`,
      'Give a folder that you may write to: --out DIR',
      { cause: error },
    );
  }
}

/** Node's own `recursive` never returns where a parent exists and takes no entries, like /proc. */
async function makeFolder(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() === true) return;
  if (found !== undefined) throw new Error(`${path} is not a folder`);
  await makeFolder(dirname(path));
  await mkdir(path);
}

async function refuseForeign(path: string, isOurs: (text: string) => boolean): Promise<void> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (isNotFound(error)) return;
    throw new RunError(
      `${path} is in the way: ${reasonOf(error)}.`,
      'Move it away, or give another folder: --out DIR',
      { cause: error },
    );
  }
  if (text === '' || isOurs(text)) return;
  throw new RunError(
    `${path} exists and was not written by slowlane; it is left as it is.`,
    'Move it away, or give another folder: --out DIR',
  );
}

async function replaceFile(path: string, text: string): Promise<void> {
  const unfinished = `${path}.unfinished`;
  await writeFile(unfinished, text);
  await rename(unfinished, path);
}

async function readChartLibrary(): Promise<{ script: string; css: string }> {
  const require = createRequire(import.meta.url);
  const read = (file: string): Promise<string> =>
    readFile(require.resolve(`uplot/dist/${file}`), 'utf8');
  return { script: await read('uPlot.iife.min.js'), css: await read('uPlot.min.css') };
}
