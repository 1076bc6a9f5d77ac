// The parent: runs the cells one after the other, each in a process of its own, and writes what came of them.

import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CommanderError } from 'commander';

import { describeMachine, slugOf } from '../../src/measure/machine.js';
import type { Phase } from '../../src/measure/peaks.js';
import { runCell } from '../../src/measure/run-cell.js';
import { Interrupted, listenForInterrupt } from '../../src/cli/terminal/interrupt.js';
import { outliveReaders } from '../../src/cli/terminal/standard-streams.js';
import { formatClock } from '../../src/report/quantities.js';
import { type Cell, CELLS } from './cells.js';
import type { Result } from './child.js';
import { type DriverMeter, startDriverMeter, UNKNOWN } from '../../src/measure/driver-meter.js';
import { type BenchOptions, parseOptions } from './options.js';
import { type BenchRecord, type CellRecord, SCHEMA, SCHEMA_VERSION } from './record.js';
import { markdownOf, textOf } from './render.js';
import { summarize } from './summary.js';
import { verdictsOf } from './verdict.js';

const EXIT = { failed: 1, usage: 2 } as const;

/** Returns the exit code: 0 also if cells failed, for the record says so. */
export async function runBench(argv: readonly string[], entryFile: string): Promise<number> {
  let options: BenchOptions;
  try {
    options = parseOptions(argv);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? 0 : EXIT.usage; // already printed
  }
  if (options.list) {
    for (const { name, title } of CELLS) console.log(`${name.padEnd(28)}${title}`);
    return 0;
  }
  outliveReaders();
  const interrupt = listenForInterrupt();
  try {
    return await new Bench(options, entryFile, interrupt.signal).run();
  } finally {
    interrupt.release();
  }
}

class Bench {
  readonly #options: BenchOptions;
  readonly #entryFile: string;
  readonly #signal: AbortSignal;
  readonly #startedAt = new Date();
  readonly #cells: CellRecord[] = [];

  constructor(options: BenchOptions, entryFile: string, signal: AbortSignal) {
    this.#options = options;
    this.#entryFile = entryFile;
    this.#signal = signal;
  }

  async run(): Promise<number> {
    const machine = await this.#machine();
    if (machine === null) return this.#exitCode(EXIT.failed);
    const file = this.#options.out ?? join('bench', 'results', `${slugOf(machine)}.json`);
    const { cells } = this.#options;
    if (machine.adapter.software) say(`SOFTWARE ADAPTER: ${machine.adapter.name}`);
    // At once, to learn now and not after the first cell whether that can be written.
    const problem = this.#write(file, machine);
    if (problem !== null) {
      say(`bench:gpu: ${problem}. --out names another file.`);
      return EXIT.failed;
    }
    for (const [i, cell] of cells.entries()) {
      if (this.#signal.aborted) break;
      say(`[${i + 1}/${cells.length}] ${cell.name} …`);
      const record = await this.#measure(cell);
      this.#cells.push(record);
      say(`      ${endOf(record)} after ${(record.wallMs / 1000).toFixed(1)} s${this.#timeLeft()}`);
      // After each: a machine that is taken away leaves what was measured.
      const problem = this.#write(file, machine);
      if (problem !== null) say(`      ${problem}`);
    }
    console.log(textOf(this.#record(machine)));
    say(`\nWritten to ${file} and ${markdownFile(file)}.`);
    return this.#exitCode(0);
  }

  /** Asked of a process of its own, too: a device in this one would count in the driver's memory. */
  async #machine(): Promise<BenchRecord['machine'] | null> {
    const { commit } = this.#options;
    const { result, failure } = await this.#run('machine', null);
    if (result?.type === 'machine') return describeMachine(result, commit);
    say(`bench:gpu: ${failure?.reason ?? 'the adapter could not be asked.'}`);
    return null;
  }

  async #measure({ name }: Cell): Promise<CellRecord> {
    const { cell: options } = this.#options;
    const meter = await startDriverMeter();
    const { result, failure, phase, wallMs } = await this.#run(name, meter);
    const driver = (await meter?.stop()) ?? UNKNOWN;
    const common = { name, wallMs, driver };
    if (result?.type === 'values') {
      const { values } = result;
      const summary = summarize(values, options.syncPeriod);
      return { ...common, status: 'ok', values, summary };
    }
    const why = failure ?? { kind: 'error', reason: 'it ended without a result' };
    return { ...common, status: 'failed', failure: why, phase };
  }

  #run(name: string, meter: DriverMeter | null) {
    const { cell, cellTimeoutMs: timeoutMs } = this.#options;
    const args = ['--cell', name, JSON.stringify(cell)];
    return runCell<Result, Phase>(
      { file: this.#entryFile, args },
      {
        timeoutMs,
        signal: this.#signal,
        onStart: (pid) => meter?.process(pid),
        onPhase: (phase) => meter?.enter(phase),
      },
    );
  }

  /** Returns what went wrong. */
  #write(file: string, machine: BenchRecord['machine']): string | null {
    try {
      writeRecord(file, this.#record(machine));
      return null;
    } catch (error) {
      return `The result could not be written: ${error instanceof Error ? error.message : String(error)}`;
    }
  }

  #record(machine: BenchRecord['machine']): BenchRecord {
    const isComplete = !this.#signal.aborted && this.#cells.length === this.#options.cells.length;
    const cells = this.#cells;
    return {
      schema: SCHEMA,
      schemaVersion: SCHEMA_VERSION,
      startedAt: this.#startedAt.toISOString(),
      endedAt: new Date().toISOString(),
      partial: !isComplete,
      machine,
      options: this.#options.cell,
      cells,
      verdicts: verdictsOf({ cells, machine }),
    };
  }

  /** By the mean of the cells so far. */
  #timeLeft(): string {
    const left = this.#options.cells.length - this.#cells.length;
    if (left === 0 || this.#signal.aborted) return '';
    const elapsedMs = Date.now() - this.#startedAt.getTime();
    const seconds = ((elapsedMs / this.#cells.length) * left) / 1000;
    return `, about ${formatClock(seconds)} left`;
  }

  #exitCode(otherwise: number): number {
    const reason: unknown = this.#signal.reason;
    return reason instanceof Interrupted ? reason.exitCode : otherwise;
  }
}

function endOf(record: CellRecord): string {
  if (record.status === 'ok') return 'done';
  const { kind, reason } = record.failure;
  return `FAILED (${kind}): ${reason}`;
}

/** The whole file or the one before, never half of it. */
function writeRecord(file: string, record: BenchRecord): void {
  mkdirSync(dirname(file), { recursive: true });
  write(file, `${JSON.stringify(record, rounded, 1)}\n`);
  write(markdownFile(file), markdownOf(record));
}

function write(file: string, text: string): void {
  writeFileSync(`${file}.part`, text);
  renameSync(`${file}.part`, file);
}

function markdownFile(file: string): string {
  return `${file.replace(/\.json$/, '')}.md`;
}

/** Times to a microsecond; losses in full. */
function rounded(key: string, value: unknown): unknown {
  const isTimes = key.endsWith('Ms') || key === 'ms';
  if (!isTimes || !Array.isArray(value)) return value;
  return value.map((one: unknown) =>
    typeof one === 'number' ? Math.round(one * 1000) / 1000 : rounded(key, one),
  );
}

/** On stderr: the result alone is on stdout. */
function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
