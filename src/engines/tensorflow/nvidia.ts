// What nvidia-smi says, where there is one.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const TIMEOUT_MS = 10_000;
const MIB = 2 ** 20;

/** Runs a program to its end and resolves to what it printed; throws where it could not, or failed. */
export type RunProgram = (file: string, args: readonly string[]) => Promise<string>;

export const runProgram: RunProgram = async (file, args) => {
  const { stdout } = await promisify(execFile)(file, [...args], { timeout: TIMEOUT_MS });
  return stdout;
};

/** Rows of values. Throws where there is no nvidia-smi, or one that doesn't know the question. */
export async function askNvidia(what: string, run = runProgram): Promise<string[][]> {
  const stdout = await run('nvidia-smi', [what, '--format=csv,noheader,nounits']);
  const lines = stdout.split('\n').filter((line) => line.trim() !== '');
  return lines.map((line) => line.split(',').map((value) => value.trim()));
}

/** Rows of values; null without nvidia-smi. */
export async function queryNvidia(what: string): Promise<string[][] | null> {
  try {
    return await askNvidia(what);
  } catch {
    return null;
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

/** `memory.free` and the like, which it tells in MiB; null for `[N/A]`. */
export function bytesOf(mebibytes = ''): number | null {
  return /^\d+$/.test(mebibytes) ? Number(mebibytes) * MIB : null;
}

/** By process, on all GPUs; null without nvidia-smi. A container often sees no processes, or their numbers outside of it. */
export async function processBytes(): Promise<Map<number, number> | null> {
  const rows = await queryNvidia('--query-compute-apps=pid,used_memory');
  if (rows === null) return null;
  const known = new Map<number, number>();
  for (const [pid, mib] of rows) {
    const bytes = bytesOf(mib);
    if (bytes !== null) known.set(Number(pid), (known.get(Number(pid)) ?? 0) + bytes);
  }
  return known;
}
