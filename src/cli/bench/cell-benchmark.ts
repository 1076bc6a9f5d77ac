// A benchmark of cells that take about the same time: each in a fresh process, one after the other.

import type { TProperties } from 'typebox';

import { NO_DRIVER, startDriverMeter } from '../../measure/meters/driver-meter.js';
import { type Failure, withoutResult } from '../../measure/process/failure.js';
import type { DriverBytes, Phase } from '../../measure/record-parts.js';
import type { Ended } from '../../measure/process/run-cell.js';
import { formatMs } from '../../checks/quantities.js';
import type { Benchmark } from './benchmark.js';
import { type CellRequests, type CellResults, measureCell } from './cells.js';
import { startProgress } from './progress.js';

type Name = 'memory' | 'speed' | 'sync';

interface AnyCell {
  readonly status: 'done' | 'failed' | 'stopped';
  readonly failure: Failure | null;
}

/** `Key`: what cells differ in, as their record calls it. */
interface Parts<N extends Name, Key extends string, Options, Cell> extends Pick<
  Benchmark<N, Options, Cell>,
  'name' | 'title' | 'sheets'
> {
  readonly key: Key;
  /** A cell without a result has null for each of these. */
  readonly schema: { readonly properties: TProperties };
  /** In the order of the cells. */
  namesOf(options: Options): readonly (Cell[Key & keyof Cell] & string)[];
  requestOf(options: Options, name: Cell[Key & keyof Cell] & string): CellRequests[N];
  /** The driver is asked until the process enters this phase; null: to its end; `never`: not at all. */
  readonly askDriverUntil: Phase | null | 'never';
  /** What is made from the measured values. */
  derive(measured: CellResults[N], options: Options): Partial<Cell>;
  /** A cell that is done, in a few words. */
  wordsOf(cell: Cell): string;
}

export interface CellBenchmark<N extends Name, Options, Cell> extends Benchmark<N, Options, Cell> {
  /** What becomes of the process of a cell. */
  cellOf(name: string, ended: Ended<CellResults[N]>, driver: DriverBytes, options: Options): Cell;
}

export function cellBenchmark<
  N extends Name,
  Key extends string,
  Options extends { readonly cellTimeoutMs: number },
  Cell extends AnyCell,
>(parts: Parts<N, Key, Options, Cell>): CellBenchmark<N, Options, Cell> {
  const names = Object.keys(parts.schema.properties);
  const nothing = Object.fromEntries(names.map((name) => [name, null]));
  const cellOf: CellBenchmark<N, Options, Cell>['cellOf'] = (name, ended, driver, options) => {
    const { result, failure, wallMs } = ended;
    return {
      ...nothing,
      [parts.key]: name,
      wallMs: Math.round(wallMs),
      ...(names.includes('driver') ? { driver } : {}),
      ...(result === null
        ? withoutResult(failure)
        : { status: 'done', ...result, ...parts.derive(result, options) }),
    } as unknown as Cell;
  };
  return {
    name: parts.name,
    cellOf,
    async *measure(options, signal, { nvidia }) {
      const all = parts.namesOf(options);
      const clock = new CellsClock(all.length);
      const progress = startProgress(all.length, signal);
      try {
        for (const name of all) {
          if (signal.aborted) return;
          progress.begin(clock.done, name, clock.start());
          const until = parts.askDriverUntil;
          // A GPU beside a CPU that computes has nothing to do with the numbers.
          const isAsked = nvidia !== null && until !== 'never';
          const driver = isAsked ? await startDriverMeter(until) : NO_DRIVER;
          const ended = await measureCell(parts.name, parts.requestOf(options, name), {
            timeoutMs: options.cellTimeoutMs,
            signal,
            onStart: (pid) => driver.process(pid),
            onPhase: (phase) => driver.enter(phase),
          });
          const cell = cellOf(name, ended, await driver.stop(), options);
          const { status, failure } = cell;
          const words = status === 'done' ? parts.wordsOf(cell) : `${status}: ${failure?.reason}`;
          progress.end(name, `${words} after ${formatMs(clock.end())}`);
          yield cell;
        }
      } finally {
        progress.stop();
      }
    },
    saysAnything: ({ status }) => status === 'done',
    hasFailed: ({ status }) => status === 'failed',
    title: (record) => parts.title(record),
    sheets: (record) => parts.sheets(record),
    notes: ({ cells }) =>
      cells.flatMap((cell) => {
        const name = String((cell as Readonly<Record<string, unknown>>)[parts.key]);
        return cell.failure === null
          ? []
          : [`${name}: ${cell.failure.kind}: ${cell.failure.reason}`];
      }),
  };
}

/** By the mean of the cells so far. */
export class CellsClock {
  readonly #total: number;
  readonly #now: () => number;
  #startedMs = 0;
  #sumMs = 0;
  done = 0;

  constructor(total: number, now = () => performance.now()) {
    this.#total = total;
    this.#now = now;
  }

  /** A cell starts: milliseconds from now to the end of the last; null before the first has ended. */
  start(): number | null {
    this.#startedMs = this.#now();
    return this.done === 0 ? null : (this.#sumMs / this.done) * (this.#total - this.done);
  }

  /** Milliseconds of the cell that ended. */
  end(): number {
    const ms = this.#now() - this.#startedMs;
    this.#sumMs += ms;
    this.done += 1;
    return ms;
  }
}
