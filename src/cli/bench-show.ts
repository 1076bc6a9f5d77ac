// `slowlane bench show`: the table of a record.

import type { FitRecord } from '../bench/fit/fit-record.js';
import { readBenchFile } from './bench-file.js';
import { fitText } from './bench-fit-text.js';

export async function showBench(path: string): Promise<void> {
  // The schema knows of no other benchmark.
  const record = (await readBenchFile(path)) as FitRecord;
  console.log(fitText(record, process.stdout.columns));
}
