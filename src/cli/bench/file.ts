// The file that a benchmark writes its record to, and reads it from.

import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';

import { reasonOf, RunError } from '../terminal/cli-error.js';
import type { BenchRecord } from './frame.js';
import { isBenchRecord, readBenchRecord } from './record.js';
import { checkReplaceable, replaceFile } from '../terminal/own-file.js';

export interface BenchFile {
  write(record: BenchRecord): Promise<void>;
}

/** Checks that `path` can be written before anything is measured. */
export async function prepareBenchFile(path: string): Promise<BenchFile> {
  const file = {
    path: resolve(path),
    isOurs: isBenchRecord,
    remedies: {
      taken: 'Move it away, or give another file: --json FILE',
      unwritable: 'Give a file in a folder that exists and that you may write to: --json FILE',
    },
  };
  await checkReplaceable(file);
  return { write: (record) => replaceFile(file, `${JSON.stringify(record, null, 1)}\n`) };
}

/** Throws a RunError if it isn't there or isn't a record. */
export async function readBenchFile(path: string): Promise<BenchRecord> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new RunError(`${path} can't be read: ${reasonOf(error)}.`, 'Give a file that exists', {
      cause: error,
    });
  }
  try {
    return readBenchRecord(text);
  } catch (error) {
    throw new RunError(
      `${path}: ${reasonOf(error)}`,
      'Give a file that slowlane bench … --json has written',
      { cause: error },
    );
  }
}
