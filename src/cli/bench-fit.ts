// `slowlane bench fit` from options to its record: policies one after the other, every try in a fresh process.

import { measureCell } from '../bench/cells.js';
import { fitPolicy, type RunTry } from '../bench/fit/fit-policy.js';
import type { FitCell, FitOptions, FitRecord } from '../bench/fit/fit-record.js';
import { policyNamed } from '../bench/policies.js';
import { describeMachine, type MachineRecord } from '../bench/machine.js';
import { SCHEMA, SCHEMA_VERSION } from '../bench/record.js';
import type { BenchRequest } from './bench-command.js';
import { type BenchFile, prepareBenchFile } from './bench-file.js';
import { startFitProgress } from './bench-fit-progress.js';
import { fitText } from './bench-fit-text.js';
import { EXIT, reasonOf, RunError } from './cli-error.js';
import { Interrupted, listenForInterrupt } from './interrupt.js';

const MACHINE_TIMEOUT_MS = 120_000;

/** Measures, prints, writes; resolves to the exit code. */
export async function benchFit({ options, json }: BenchRequest<FitOptions>): Promise<number> {
  const file = json === undefined ? null : await prepareBenchFile(json);
  const interrupt = listenForInterrupt();
  const { signal } = interrupt;
  try {
    const startedAt = new Date();
    const machine = await askMachine(options, signal);
    if (machine.adapter.software) {
      say(`Software adapter: ${machine.adapter.name}. Bytes are exact, times mean nothing.`);
    }
    const cells: FitCell[] = [];
    const recordOf = (ended: string) => makeRecord({ startedAt, machine, options, cells, ended });
    for await (const cell of measure(options, signal)) {
      cells.push(cell);
      // After each: a machine that is taken away leaves what was measured.
      if (saysAnything(cell)) await writeOnTheWay(file, recordOf('running'));
    }
    const record = recordOf(signal.aborted ? reasonOf(signal.reason) : 'done');
    console.log(fitText(record, process.stdout.columns));
    await writeLast(file, record, json);
    return exitCodeOf(record, signal);
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    say(`slowlane: ${error.message}`);
    return error.exitCode;
  } finally {
    interrupt.release();
  }
}

/** Asked of a process of its own, too: a device in this one would take of what is measured. */
async function askMachine({ adapter }: FitOptions, signal: AbortSignal): Promise<MachineRecord> {
  const conditions = { timeoutMs: MACHINE_TIMEOUT_MS, signal };
  const { result, failure } = await measureCell('machine', { adapter }, conditions);
  if (result !== null) return describeMachine(result);
  signal.throwIfAborted();
  throw new RunError(
    failure?.reason ?? 'The WebGPU adapter could not be asked.',
    'Bytes can be counted without a GPU: a software adapter does it, like SwiftShader; ' +
      'point VK_DRIVER_FILES at its ICD file (docs/benchmarks.md)',
  );
}

async function* measure(options: FitOptions, signal: AbortSignal): AsyncGenerator<FitCell> {
  const progress = startFitProgress(options, process.stderr, signal);
  const { tryTimeoutMs: timeoutMs } = options;
  const runTry: RunTry = ({ name: policy }, layers) =>
    measureCell('fit', { ...options, policy, layers }, { timeoutMs, signal });
  try {
    for (const name of options.policies) {
      if (signal.aborted) return;
      const cell = await fitPolicy(policyNamed(name), options, runTry, progress);
      progress.onCell(cell);
      yield cell;
    }
  } finally {
    progress.stop();
  }
}

/** What could not be written now may be at the end, and the table is printed in any case. */
async function writeOnTheWay(file: BenchFile | null, record: FitRecord): Promise<void> {
  try {
    await file?.write(record);
  } catch (error) {
    say(`warning: ${reasonOf(error)}`);
  }
}

/** A run that has measured nothing leaves an earlier record as it is. */
async function writeLast(file: BenchFile | null, record: FitRecord, path = ''): Promise<void> {
  if (file === null) return;
  if (record.isPartial && !record.cells.some(saysAnything)) {
    console.log(`Nothing was measured: ${path} is not written.`);
    return;
  }
  await file.write(record);
  console.log(`Record  ${path}`);
}

function saysAnything({ layers, isLargest }: FitCell): boolean {
  return isLargest || layers > 0;
}

interface Run {
  readonly startedAt: Date;
  readonly machine: MachineRecord;
  readonly options: FitOptions;
  readonly cells: readonly FitCell[];
  readonly ended: string;
}

function makeRecord({ startedAt, machine, options, cells, ended }: Run): FitRecord {
  return {
    schema: SCHEMA,
    schemaVersion: SCHEMA_VERSION,
    bench: 'fit',
    startedAt: startedAt.toISOString(),
    endedAt: new Date().toISOString(),
    isPartial: ended !== 'done',
    ended,
    command: process.argv.slice(2),
    machine,
    options,
    cells: [...cells],
  };
}

function exitCodeOf({ cells }: FitRecord, signal: AbortSignal): number {
  const reason: unknown = signal.reason;
  if (reason instanceof Interrupted) return reason.exitCode;
  return cells.some(({ status }) => status === 'failed') ? EXIT.failed : 0;
}

/** On stderr: the result alone is on stdout. */
function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
