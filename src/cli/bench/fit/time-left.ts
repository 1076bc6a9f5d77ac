// How long the rest takes, where that can be said: how many tries the searches have left, and how long tries have
// taken so far.

import { policyNamed } from '../../../measure/workloads/policies.js';
import { estimateLayers } from './estimate.js';
import type { FitOptions, FitTry } from './record.js';

/** Of a good estimate: it fits, and one more does not. */
const USUAL_TRIES = 2;

/** The tries so far, and from them the time that is left. */
export class SearchClock {
  readonly #tries = new Map<string, readonly FitTry[]>();
  /** In the order of the searches. */
  readonly #estimates: readonly (readonly [policy: string, estimate: number | null])[];

  constructor(options: FitOptions) {
    this.#estimates = options.policies.map((name) => [
      name,
      estimateLayers(policyNamed(name), options),
    ]);
  }

  add(policy: string, tried: FitTry): void {
    this.#tries.set(policy, [...this.#of(policy), tried]);
  }

  /** Milliseconds, now that a try of `policy` begins; null where it would be a guess. */
  leftMs(policy: string): number | null {
    const at = this.#estimates.findIndex(([name]) => name === policy);
    return timeLeftMs({
      over: this.#estimates.slice(0, at).map(([name]) => this.#of(name)),
      now: { estimate: this.#estimates[at]?.[1] ?? null, tries: this.#of(policy) },
      toCome: this.#estimates.slice(at + 1).map(([, estimate]) => estimate),
    });
  }

  #of(policy: string): readonly FitTry[] {
    return this.#tries.get(policy) ?? [];
  }
}

/** The policy that is being searched. */
export interface Searching {
  /** Layers, by the planner; null without an estimate. */
  readonly estimate: number | null;
  /** So far; one more is about to begin. */
  readonly tries: readonly FitTry[];
}

export interface Searches {
  /** Tries of each policy that is over. */
  readonly over: readonly (readonly FitTry[])[];
  readonly now: Searching;
  /** Estimates of those to come. */
  readonly toCome: readonly (number | null)[];
}

/** Milliseconds from the start of the next try on; null where it would be made up. */
export function timeLeftMs({ over, now, toCome }: Searches): number | null {
  const usual = usualTries(over);
  const all = [...over.flat(), ...now.tries];
  let totalMs = multiplied(triesLeft(now, usual), tryMs(now, all));
  for (const estimate of toCome) {
    const one = estimate === null ? null : lineOf(all)?.(estimate);
    totalMs = added(totalMs, multiplied(usual, one ?? null));
  }
  return totalMs;
}

/** What the searches so far took. */
function usualTries(over: readonly (readonly FitTry[])[]): number {
  const counts = over.map((tries) => tries.length).filter((count) => count > 0);
  return counts.length === 0 ? USUAL_TRIES : meanOf(counts);
}

/** At most, once a count fits and another does not; before that what is usual, if the estimate is not wrong already. */
function triesLeft({ estimate, tries }: Searching, usual: number): number | null {
  const { most, tooMany } = boundsOf(tries);
  if (tries.length === 0) return estimate === null ? null : usual;
  if (most !== null && tooMany !== null) return Math.ceil(Math.log2(tooMany - most));
  return most === estimate && tries.length === 1 ? Math.max(1, usual - 1) : null;
}

/** One try of this policy; by its own where it has some, for a layer does not take as long under another. */
function tryMs({ estimate, tries }: Searching, all: readonly FitTry[]): number | null {
  const { most, tooMany } = boundsOf(tries);
  const own = tries.findLast(({ outcome, layers }) => outcome === 'fits' && layers === most);
  if (own === undefined) return estimate === null ? null : (lineOf(all)?.(estimate) ?? null);
  const next = tooMany === null ? own.layers + 1 : (own.layers + tooMany) / 2;
  // No more than in proportion: a part of the time is that of the process, whatever it trains.
  return lineOf(tries)?.(next) ?? (own.wallMs * next) / own.layers;
}

function boundsOf(tries: readonly FitTry[]): { most: number | null; tooMany: number | null } {
  const layersOf = (outcome: FitTry['outcome']) =>
    tries.filter((one) => one.outcome === outcome).map(({ layers }) => layers);
  const [fitting, refused] = [layersOf('fits'), layersOf('over budget')];
  return {
    most: fitting.length === 0 ? null : Math.max(...fitting),
    tooMany: refused.length === 0 ? null : Math.min(...refused),
  };
}

/** A straight line through those that fit: starting a process, and so much a layer. Null without two sizes. */
function lineOf(tries: readonly FitTry[]): ((layers: number) => number) | null {
  const fitting = tries.filter(({ outcome }) => outcome === 'fits');
  const layers = meanOf(fitting.map((one) => one.layers));
  const ms = meanOf(fitting.map(({ wallMs }) => wallMs));
  const spread = meanOf(fitting.map((one) => (one.layers - layers) ** 2));
  if (!(spread > 0)) return null; // none, or all of one size
  const slope = meanOf(fitting.map((one) => (one.layers - layers) * (one.wallMs - ms))) / spread;
  if (slope <= 0) return null;
  return (count) => Math.max(0, ms + slope * (count - layers));
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function multiplied(count: number | null, ms: number | null): number | null {
  return count === null || ms === null ? null : count * ms;
}

function added(one: number | null, other: number | null): number | null {
  return one === null || other === null ? null : one + other;
}
