// A benchmark from options to its record: what all of them share.

import { describeMachine } from '../../measure/machine/machine.js';
import type { BenchEngine } from '../../measure/workloads/policies.js';
import type { MachineRecord } from '../../measure/record-parts.js';
import { EXIT, reasonOf, RunError } from '../terminal/cli-error.js';
import { Interrupted, listenForInterrupt } from '../terminal/interrupt.js';
import { measureCell } from './cells.js';
import { BENCHMARKS, type BenchRequest } from './command.js';
import { type BenchRecord, SCHEMA, SCHEMA_VERSION } from './frame.js';
import { type BenchFile, prepareBenchFile, readBenchFile } from './record.js';
import { benchText } from './text.js';
import { print, say } from '../terminal/print.js';

const MACHINE_TIMEOUT_MS = 120_000;

interface DeviceOptions {
  readonly adapter: string | null;
  /** Left out where there is no choice: WebGPU. */
  readonly engine?: BenchEngine;
}

/** Measures, prints, writes; resolves to the exit code. */
export async function runBenchmark({ name, options, json }: BenchRequest): Promise<number> {
  const bench = await BENCHMARKS[name].load();
  const file = json === undefined ? null : await prepareBenchFile(json);
  const interrupt = listenForInterrupt();
  const { signal } = interrupt;
  try {
    const startedAt = new Date().toISOString();
    const machine = await askMachine(options as DeviceOptions, signal);
    if (machine.adapter?.software === true) {
      say(`Software adapter: ${machine.adapter.name}. Bytes are exact, times mean nothing.`);
    }
    const cells: object[] = [];
    const recordOf = (ended: string): BenchRecord => ({
      schema: SCHEMA,
      schemaVersion: SCHEMA_VERSION,
      bench: name,
      startedAt,
      endedAt: new Date().toISOString(),
      isPartial: ended !== 'done',
      ended,
      command: process.argv.slice(2),
      machine,
      options,
      cells: [...cells],
    });
    for await (const cell of bench.measure(options, signal, machine)) {
      cells.push(cell);
      // After each: a machine that is taken away leaves what was measured.
      if (bench.saysAnything(cell)) await writeOnTheWay(file, recordOf('running'));
    }
    const record = recordOf(signal.aborted ? reasonOf(signal.reason) : 'done');
    print(benchText(bench, record, process.stdout.columns));
    const isWorthWriting = !record.isPartial || cells.some((cell) => bench.saysAnything(cell));
    if (isWorthWriting) await writeLast(file, record, json);
    else if (file !== null) print(`Nothing was measured: ${json} is not written.`);
    return exitCodeOf(
      cells.some((cell) => bench.hasFailed(cell)),
      signal,
    );
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    say(`slowlane: ${error.message}`);
    return error.exitCode;
  } finally {
    interrupt.release();
  }
}

/** Prints the tables of a record; resolves to the exit code. */
export async function showBench(path: string): Promise<number> {
  const record = await readBenchFile(path);
  print(benchText(await BENCHMARKS[record.bench].load(), record, process.stdout.columns));
  return 0;
}

/** Asked of a process of its own, too: an engine in this one would take of what is measured. */
async function askMachine(
  { engine = 'webgpu', adapter }: DeviceOptions,
  signal: AbortSignal,
): Promise<MachineRecord> {
  const conditions = { timeoutMs: MACHINE_TIMEOUT_MS, signal };
  const { result, failure } = await measureCell('machine', { engine, adapter }, conditions);
  if (result !== null) return describeMachine(result);
  signal.throwIfAborted();
  if (engine !== 'webgpu') {
    const reason = failure?.reason ?? `The engine ${engine} could not be started.`;
    throw new RunError(
      reason,
      `Or use another engine: --engine ${engine === 'cpu' ? 'wasm' : 'cpu'}`,
    );
  }
  throw new RunError(
    failure?.reason ?? 'The WebGPU adapter could not be asked.',
    'Bytes can be counted without a GPU, on a software adapter like SwiftShader: docs/benchmarks.md says how. ' +
      'All but bench fit also take --engine wasm or cpu',
  );
}

/** What could not be written now may be at the end, and the table is printed in any case. */
async function writeOnTheWay(file: BenchFile | null, record: BenchRecord): Promise<void> {
  try {
    await file?.write(record);
  } catch (error) {
    say(`warning: ${reasonOf(error)}`);
  }
}

async function writeLast(file: BenchFile | null, record: BenchRecord, path = ''): Promise<void> {
  if (file === null) return;
  await file.write(record);
  print(`Record  ${path}`);
}

function exitCodeOf(hasFailed: boolean, signal: AbortSignal): number {
  const reason: unknown = signal.reason;
  if (reason instanceof Interrupted) return reason.exitCode;
  return hasFailed ? EXIT.failed : 0;
}
