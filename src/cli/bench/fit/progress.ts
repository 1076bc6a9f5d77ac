// How `bench fit` goes, on stderr: a bar on a terminal, a line for each try elsewhere.

import type { FitCell, FitOptions, FitTry } from './fit-record.js';
import type { FitListener } from './fit-policy.js';
import { estimateLayers } from './estimate.js';
import { type BenchPolicy, policyNamed } from '../../../measure/policies.js';
import { timeLeftMs } from './time-left.js';
import { formatBytes, formatClock, formatMs } from '../../../checks/quantities.js';
import { startBar, type TerminalBar } from '../../terminal/terminal-bar.js';

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
        ...clock.timeLeft(policy),
      ].join(' · ');
      if (bar !== null) bar.update(cells, details);
      else
        bar = startBar({ total: policies.length, value: cells, details, clears: true }, to, signal);
    },
    onTried: (policy, tried) => clock.add(policy, tried),
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
    onTry(policy, layers) {
      const at = `[${policies.indexOf(policy.name) + 1}/${policies.length}] ${policy.name}`;
      const left = clock.timeLeft(policy).map((text) => ` (${text})`);
      to.write(`  ${at}: ${layersText(layers)} …${left.join('')}\n`);
    },
    onTried(policy, tried) {
      clock.add(policy, tried);
      to.write(`      ${tryText(tried)} after ${formatMs(tried.wallMs)}\n`);
    },
    onCell: (cell) => void to.write(`      → ${cellText(cell)}\n`),
    stop: () => {},
  };
}

/** Knows the tries so far, and which policies are to come. */
class Clock {
  readonly #tries = new Map<string, readonly FitTry[]>();
  readonly #estimates: ReadonlyMap<string, number | null>;

  constructor(options: FitOptions) {
    const { policies } = options;
    this.#estimates = new Map(
      policies.map((name) => [name, estimateLayers(policyNamed(name), options)]),
    );
  }

  add({ name }: BenchPolicy, tried: FitTry): void {
    this.#tries.set(name, [...this.#of(name), tried]);
  }

  /** Nothing where it would be a guess. */
  timeLeft({ name }: BenchPolicy): string[] {
    const names = [...this.#estimates.keys()];
    const at = names.indexOf(name);
    const ms = timeLeftMs({
      over: names.slice(0, at).map((one) => this.#of(one)),
      now: { estimate: this.#estimateOf(name), tries: this.#of(name) },
      toCome: names.slice(at + 1).map((one) => this.#estimateOf(one)),
    });
    return ms === null ? [] : [`about ${formatClock(ms / 1000)} left`];
  }

  #of(name: string): readonly FitTry[] {
    return this.#tries.get(name) ?? [];
  }

  #estimateOf(name: string): number | null {
    return this.#estimates.get(name) ?? null;
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
