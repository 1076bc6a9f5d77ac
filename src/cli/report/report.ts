// Reads records of runs and writes one page of them.

import { stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { NamedRun } from '../../report/data.js';
import { RUNNING, type RunRecord } from '../../records/run-record.js';
import { readRunRecord } from '../../records/read-record.js';
import { recipeOf } from '../../report/parts.js';
import { isReport, renderReport } from '../../report/report.js';
import { isNotFound, reasonOf, RunError } from '../terminal/cli-error.js';
import { readText } from '../terminal/given-file.js';
import { ownerOf } from '../terminal/folder-lock.js';
import { replaceFile } from '../terminal/own-file.js';
import type { ReportRequest } from './command.js';
import { print } from '../terminal/print.js';

/** Resolves to the exit code. */
export async function writeReport({ runs, output }: ReportRequest): Promise<number> {
  const read: { path: string; named: NamedRun }[] = [];
  for (const given of runs) read.push(await readRun(given));
  const page = renderReport(distinguished(read));
  await replaceFile(
    {
      path: output,
      isOurs: isReport,
      remedies: {
        taken: 'Move it away, or give another file: -o FILE',
        unwritable: 'Give a file that you may write to: -o FILE',
      },
    },
    page,
  );
  print(`Report  ${output}`);
  return 0;
}

async function readRun(given: string): Promise<{ path: string; named: NamedRun }> {
  const path = await fileOf(given);
  try {
    const record = await withEnd(readRunRecord(await readText(path)), path);
    return { path, named: { name: nameOf(path), record } };
  } catch (error) {
    const reason = isNotFound(error) ? "it doesn't exist" : reasonOf(error).replace(/\.$/, '');
    throw new RunError(
      `${path} can't be shown: ${reason}.`,
      'Give a run.json that slowlane train wrote, or its folder',
      { cause: error },
    );
  }
}

/** A run that was killed could not say so. */
async function withEnd(record: RunRecord, path: string): Promise<RunRecord> {
  if (record.ended !== RUNNING || (await ownerOf(dirname(path))) !== null) return record;
  return { ...record, ended: 'Interrupted: its process ended without a last record.' };
}

async function fileOf(given: string): Promise<string> {
  const found = await stat(given).catch(() => undefined);
  return found?.isDirectory() === true ? join(given, 'run.json') : given;
}

/** `out-adam` of `out-adam/run.json`; `first` of `first.json`. */
function nameOf(path: string): string {
  const file = basename(path, '.json');
  return file === 'run' ? basename(dirname(resolve(path))) : file;
}

/** Runs get their short names, or their paths if short names collide, and a number if a file is given twice. */
function distinguished(read: readonly { path: string; named: NamedRun }[]): NamedRun[] {
  const [only] = read;
  if (read.length === 1 && only !== undefined) {
    return [{ ...only.named, name: recipeOf(only.named.record) }];
  }
  const isTaken = (name: string) => read.filter(({ named }) => named.name === name).length > 1;
  const seen = new Map<string, number>();
  return read.map(({ path, named }) => {
    const name = isTaken(named.name) ? path : named.name;
    const times = (seen.get(name) ?? 0) + 1;
    seen.set(name, times);
    return { ...named, name: times === 1 ? name : `${name} (${times})` };
  });
}
