// How `bench fit` goes, on stderr: a bar on a terminal, a line for each try elsewhere.

import type { FitCell, FitOptions, FitTry } from '../bench/fit/fit-record.js';
import type { FitListener } from '../bench/fit/fit-policy.js';
import { estimateLayers } from '../bench/fit/estimate.js';
import { type BenchPolicy, policyNamed } from '../bench/policies.js';
import { timeLeftMs } from '../bench/fit/time-left.js';
import { formatBytes, formatClock, formatMs } from '../memory/quantities.js';
import { startBar, type TerminalBar } from './terminal-bar.js';

export interface FitProgress extends Required<FitListener> {
  onCell(cell: FitCell): void;
  stop(): void;
}

export function startFitProgress(
  options: FitOptions,
  to: NodeJS.WriteStream,
  signal: AbortSignal,
): FitProgress {
  const clock = new Clock(options);
  return to.isTTY ? progressBar(options, clock, to, signal) : progressLines(options, clock, to);
}

/** A line for each policy, and a bar below them. */
function progressBar(
  { policies }: FitOptions,
  clock: Clock,
  to: NodeJS.WriteStream,
  signal: AbortSignal,
): FitProgress {
  let bar: TerminalBar | null = null;
  let cells = 0;
  const stop = () => {
    bar?.stop();
    bar = null;
  };
  return {
    onTry(policy, layers, triesDone) {
      const details = [
        policy.name,
        `try ${triesDone + 1}: ${layersText(layers)}`,
        ...clock.timeLeft(policy, triesDone),
      ].join(' · ');
      if (bar !== null) bar.update(cells, details);
      else
        bar = startBar({ total: policies.length, value: cells, details, clears: true }, to, signal);
    },
    onTried: (_, tried) => clock.add(tried),
    onCell(cell) {
      stop();
      cells += 1;
      to.write(`  ${cell.policy}: ${cellText(cell)}\n`);
    },
    stop,
  };
}

function progressLines(
  { policies }: FitOptions,
  clock: Clock,
  to: NodeJS.WriteStream,
): FitProgress {
  return {
    onTry(policy, layers, triesDone) {
      const at = `[${policies.indexOf(policy.name) + 1}/${policies.length}] ${policy.name}`;
      const left = clock.timeLeft(policy, triesDone).map((text) => ` (${text})`);
      to.write(`  ${at}: ${layersText(layers)} …${left.join('')}\n`);
    },
    onTried(_, tried) {
      clock.add(tried);
      to.write(`      ${tryText(tried)} after ${formatMs(tried.wallMs)}\n`);
    },
    onCell: (cell) => void to.write(`      → ${cellText(cell)}\n`),
    stop: () => {},
  };
}

/** Knows the tries so far, and which are to come. */
class Clock {
  readonly #tries: FitTry[] = [];
  readonly #estimates: ReadonlyMap<string, number | null>;

  constructor(options: FitOptions) {
    const { policies } = options;
    this.#estimates = new Map(
      policies.map((name) => [name, estimateLayers(policyNamed(name), options)]),
    );
  }

  add(tried: FitTry): void {
    this.#tries.push(tried);
  }

  /** Nothing where it would be a guess. */
  timeLeft({ name }: BenchPolicy, triesDone: number): string[] {
    const names = [...this.#estimates.keys()];
    const rest = names.slice(names.indexOf(name)).map((one) => ({
      estimate: this.#estimates.get(one) ?? null,
      triesDone: one === name ? triesDone : 0,
    }));
    const ms = timeLeftMs(this.#tries, rest);
    return ms === null ? [] : [`about ${formatClock(ms / 1000)} left`];
  }
}

function layersText(layers: number): string {
  return layers === 1 ? '1 layer' : `${layers} layers`;
}

function tryText({ outcome, peakBytes, reason }: FitTry): string {
  if (outcome === 'fits') return `fits: ${formatBytes(peakBytes ?? NaN)}`;
  return outcome === 'over budget' ? outcome : `${outcome}: ${reason ?? ''}`;
}

function cellText({ layers, isLargest, tries, status }: FitCell): string {
  const most = `${isLargest ? '' : 'at least '}${layersText(layers)}`;
  const count = tries.length === 1 ? '1 try' : `${tries.length} tries`;
  return `${most} after ${count}${status === 'done' ? '' : `, ${status}`}`;
}
