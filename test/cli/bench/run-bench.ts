// Runs the GPU benchmark as a user does, from the sources or from the build.

import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

import type { BenchRecord, CellRecord } from '#bench/gpu/record.js';

import { againstBuild, entry } from '../../built.js';

const COMMAND = againstBuild ? ['dist/bench/gpu.js'] : ['--import', 'tsx', 'bench/gpu.ts'];

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `onText` hears what is on stderr so far. */
export function bench(
  args: readonly string[],
  onText: (stderr: string, child: ChildProcess) => void = () => undefined,
): Promise<Finished> {
  const child = spawn(process.execPath, [...COMMAND, ...args], {
    cwd: entry('.'),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    onText(stderr, child);
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

export function readRecord(file: string): BenchRecord {
  return JSON.parse(readFileSync(file, 'utf8')) as BenchRecord;
}

export function cellOf(record: BenchRecord, name: string): CellRecord {
  const cell = record.cells.find((one) => one.name === name);
  if (cell === undefined) throw new Error(`There is no cell '${name}' in the record.`);
  return cell;
}
