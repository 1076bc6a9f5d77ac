// Runs the command line as a user does: as a process of its own, from the sources or from the build.

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { readRunRecord } from '#src/records/read-record.js';
import type { RunRecord } from '#src/records/run-record.js';
import { againstBuild, entry } from '../built.js';

const ROOT = entry('.');
const LOADER = againstBuild ? [] : ['--import', 'tsx'];
const COMMAND = [...LOADER, againstBuild ? 'dist/src/cli/main.js' : 'src/cli/main.ts'];

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Surroundings {
  /** Called while the process runs. */
  readonly onStart?: (child: ChildProcess) => void;
  /** File descriptor that stdout goes to; it is closed when the process ends. */
  readonly stdout?: number;
  /** Beside the environment of the tests; undefined takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Resolves when the process has ended. */
export function slowlane(
  args: readonly string[],
  surroundings: Surroundings = {},
): Promise<Finished> {
  return finished([...COMMAND, ...args], surroundings);
}

/** Runs `code`, a module's text, in a process that can import ours; `args` are its arguments. */
export function evaluated(code: string, args: readonly string[] = []): Promise<Finished> {
  return finished([...LOADER, '--input-type=module', '-e', code, '--', ...args], {});
}

function finished(
  args: readonly string[],
  { onStart = () => {}, stdout: to, env = {} }: Surroundings,
): Promise<Finished> {
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ['ignore', to ?? 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  onStart(child);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      if (to !== undefined) closeSync(to);
      resolve({ code, stdout, stderr });
    });
  });
}

/** A wrong request ends with exit code 2, and says what was received and what is allowed. */
export function expectRefusal(
  { code, stdout, stderr }: Finished,
  received: string,
  allowed: string,
): void {
  expect(stderr).toContain(received);
  expect(stderr).toContain(allowed);
  expect(stderr).not.toMatch(/^ +at /m);
  expect(stdout).toBe('');
  expect(code).toBe(2);
}

/** A folder that is removed when the test ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'slowlane-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Checked against its schema (docs/run-record.schema.json). */
export function readRecord(folder: string): RunRecord {
  return readRunRecord(readFileSync(join(folder, 'run.json'), 'utf8'));
}
