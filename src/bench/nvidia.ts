// What nvidia-smi says, where there is one.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const TIMEOUT_MS = 10_000;

const run = promisify(execFile);

/** Rows of values; null without nvidia-smi. */
export async function queryNvidia(what: string): Promise<string[][] | null> {
  try {
    const { stdout } = await run('nvidia-smi', [what, '--format=csv,noheader,nounits'], {
      timeout: TIMEOUT_MS,
    });
    const lines = stdout.split('\n').filter((line) => line.trim() !== '');
    return lines.map((line) => line.split(',').map((value) => value.trim()));
  } catch {
    return null; // none here, or one that does not know the question
  }
}

/** The names and values of these fields of the first GPU; null without nvidia-smi. */
export async function describeNvidia(
  fields: readonly string[],
): Promise<Record<string, string> | null> {
  const [first] = (await queryNvidia(`--query-gpu=${fields.join(',')}`)) ?? [];
  if (first === undefined) return null;
  return Object.fromEntries(fields.map((field, i) => [field, first[i] ?? '']));
}
