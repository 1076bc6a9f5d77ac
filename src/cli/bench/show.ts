// `slowlane bench show`: the table of a record.

import type { FitRecord } from './fit/fit-record.js';
import type { MemoryRecord } from './memory/memory-record.js';
import type { BenchRecord } from '../../measure/record.js';
import type { SpeedRecord } from './speed/speed-record.js';
import type { SyncRecord } from './sync/sync-record.js';
import { readBenchFile } from './file.js';
import { fitText } from './fit/text.js';
import { memoryText } from './memory/text.js';
import { speedText } from './speed/text.js';
import { syncText } from './sync/text.js';

/** Resolves to the exit code. */
export async function showBench(path: string): Promise<number> {
  console.log(textOf(await readBenchFile(path), process.stdout.columns));
  return 0;
}

/** The schema knows of no other benchmark. */
function textOf(record: BenchRecord, columns: number | undefined): string {
  if (record.bench === 'fit') return fitText(record as FitRecord, columns);
  if (record.bench === 'speed') return speedText(record as SpeedRecord, columns);
  if (record.bench === 'sync') return syncText(record as SyncRecord, columns);
  return memoryText(record as MemoryRecord, columns);
}
