// Starts a process for one cell and waits for it, whatever becomes of it.

import { type ChildProcess, fork } from 'node:child_process';

import type { Message } from './cell-process.js';
import type { Phase } from '../record-parts.js';
import type { Failure } from './failure.js';

/** Kept of what the process prints, for the reason of its end. */
const OUTPUT_CHARACTERS = 4000;

/** The process of one cell: a file that calls `runCellHere`, and what it is told. */
export interface CellProcess {
  readonly file: string;
  readonly args: readonly string[];
}

export interface Conditions {
  readonly timeoutMs: number;
  /** Ends the cell. */
  readonly signal: AbortSignal;
  readonly onStart?: (pid: number) => void;
  readonly onPhase?: (phase: Phase) => void;
  /** Hears all that the process prints. */
  readonly onOutput?: (text: string) => void;
}

export interface Ended<R> {
  /** Null if there was none. */
  readonly result: R | null;
  readonly failure: Failure | null;
  readonly phase: Phase | null;
  readonly wallMs: number;
}

/** The file that calls this says what its process measures, `R`. */
export async function runCell<R>(
  { file, args }: CellProcess,
  conditions: Conditions,
): Promise<Ended<R>> {
  const { timeoutMs, signal, onStart, onPhase, onOutput } = conditions;
  const start = performance.now();
  // 'advanced' keeps a loss that is not a number.
  const child = fork(file, args, {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    serialization: 'advanced',
  });
  if (child.pid !== undefined) onStart?.(child.pid);
  let phase: Phase | null = null;
  let result: R | null = null;
  let failure: Failure | null = null;
  let output = '';
  const keep = (text: string) => {
    output = (output + text).slice(-OUTPUT_CHARACTERS);
    onOutput?.(text);
  };
  child.stdout?.setEncoding('utf8').on('data', keep);
  child.stderr?.setEncoding('utf8').on('data', keep);
  child.on('message', (message: Message<R>) => {
    if (message.type === 'phase') {
      ({ phase } = message);
      onPhase?.(phase);
    } else if (message.type === 'failed') failure ??= withoutFolders(message.failure);
    else ({ result } = message);
  });
  // SIGKILL: a process that waits inside the driver hears nothing else.
  const end = (why: Failure) => {
    failure ??= why;
    child.kill('SIGKILL');
  };
  const interrupt = () => end({ kind: 'interrupted', reason: 'the run was interrupted' });
  const timer = setTimeout(
    () => end({ kind: 'timed out', reason: `no result after ${timeoutMs / 1000} s` }),
    timeoutMs,
  );
  signal.addEventListener('abort', interrupt, { once: true });
  if (signal.aborted) interrupt();
  try {
    const ended = await endOf(child);
    if (result === null) failure ??= withoutFolders(failureOfEnd(ended, output));
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', interrupt);
  }
  return { result, failure, phase, wallMs: performance.now() - start };
}

interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly error?: Error;
}

/** When its output is complete too. */
function endOf(child: ChildProcess): Promise<End> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ code: null, signal: null, error }));
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
}

function failureOfEnd({ code, signal, error }: End, output: string): Failure {
  if (error !== undefined) return { kind: 'error', reason: error.message };
  const said = lastLine(output);
  if (/heap out of memory|bad_alloc|VK_ERROR_OUT_OF/i.test(output)) {
    return { kind: 'out of memory', reason: said };
  }
  if (signal === 'SIGKILL') {
    return { kind: 'crashed', reason: 'ended by SIGKILL: perhaps the machine had no more memory' };
  }
  const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
  return { kind: 'crashed', reason: said === '' ? how : `${how}: ${said}` };
}

function lastLine(output: string): string {
  const lines = output.split('\n').map((line) => line.trim());
  // A stack's lines and Node's version say least.
  const telling = lines.filter((line) => line !== '' && !/^(at |Node\.js v|\^)/.test(line));
  return telling.at(-1) ?? '';
}

/** Results are published: they tell the file, not where it lies on this machine. */
function withoutFolders({ kind, reason }: Failure): Failure {
  return { kind, reason: reason.replaceAll(/(?<![\w:/.])(?:file:\/\/)?\/(?:[^\s'"/:]+\/)+/g, '') };
}
