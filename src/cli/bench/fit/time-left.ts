// How long the rest takes, where that can be said: how many tries the searches have left, and how long tries have
// taken so far.

import { policyNamed } from '../../../measure/workloads/policies.js';
import { estimateLayers } from './estimate.js';
import type { FitOptions, FitTry } from './record.js';

/** Of a good estimate: it fits, and one more does not. */
const USUAL_TRIES = 2;

/** The tries so far, and from them the time that is left. */
export class SearchClock {
  /** In their order. */
  readonly #searches: readonly (Searching & {
    readonly policy: string;
    readonly tries: FitTry[];
  })[];

  constructor(options: FitOptions) {
    this.#searches = options.policies.map((policy) => ({
      policy,
      estimate: estimateLayers(policyNamed(policy), options),
      tries: [],
    }));
  }

  add(policy: string, tried: FitTry): void {
    this.#searches.find((one) => one.policy === policy)?.tries.push(tried);
  }

  /** Milliseconds, now that a try of `policy` begins; null where it would be a guess. */
  leftMs(policy: string): number | null {
    const at = this.#searches.findIndex((one) => one.policy === policy);
    const [now = { estimate: null, tries: [] }, ...toCome] = this.#searches.slice(at);
    const over = this.#searches.slice(0, at).map(({ tries }) => tries);
    return timeLeftMs({ over, now, toCome: toCome.map(({ estimate }) => estimate) });
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
  const counts = over.map((tries) => tries.length).filter((count) => count > 0);
  const usual = counts.length === 0 ? USUAL_TRIES : meanOf(counts);
  const all = [...over.flat(), ...now.tries];
  let totalMs = triesLeft(now, usual) * tryMs(now, all);
  for (const estimate of toCome) totalMs += usual * lineOf(all)(estimate ?? NaN);
  return Number.isNaN(totalMs) ? null : totalMs;
}

/**
 * At most, once a count fits and another does not; before that what is usual, if the estimate is not wrong already. NaN
 * where nobody knows, as in the functions below.
 */
function triesLeft({ estimate, tries }: Searching, usual: number): number {
  const { most, tooMany } = boundsOf(tries);
  if (tries.length === 0) return estimate === null ? NaN : usual;
  if (Number.isFinite(tooMany - most)) return Math.ceil(Math.log2(tooMany - most));
  return most === estimate && tries.length === 1 ? Math.max(1, usual - 1) : NaN;
}

/** One try of this policy; by its own where it has some, for a layer does not take as long under another. */
function tryMs({ estimate, tries }: Searching, all: readonly FitTry[]): number {
  const { most, tooMany } = boundsOf(tries);
  const own = tries.findLast(({ outcome, layers }) => outcome === 'fits' && layers === most);
  if (own === undefined) return lineOf(all)(estimate ?? NaN);
  const next = tooMany === Infinity ? own.layers + 1 : (own.layers + tooMany) / 2;
  const byLine = lineOf(tries)(next);
  // No more than in proportion: a part of the time is that of the process, whatever it trains.
  return Number.isNaN(byLine) ? (own.wallMs * next) / own.layers : byLine;
}

/** The most layers that fit, and the fewest that do not. */
function boundsOf(tries: readonly FitTry[]): { most: number; tooMany: number } {
  const layersOf = (outcome: FitTry['outcome']) =>
    tries.filter((one) => one.outcome === outcome).map(({ layers }) => layers);
  return {
    most: Math.max(...layersOf('fits')),
    tooMany: Math.min(...layersOf('over budget')),
  };
}

/** A straight line through those that fit: starting a process, and so much a layer. It needs two sizes. */
function lineOf(tries: readonly FitTry[]): (layers: number) => number {
  const fitting = tries.filter(({ outcome }) => outcome === 'fits');
  const layers = meanOf(fitting.map((one) => one.layers));
  const ms = meanOf(fitting.map(({ wallMs }) => wallMs));
  const spread = meanOf(fitting.map((one) => (one.layers - layers) ** 2));
  const slope = meanOf(fitting.map((one) => (one.layers - layers) * (one.wallMs - ms))) / spread;
  return (count) => (slope > 0 ? Math.max(0, ms + slope * (count - layers)) : NaN);
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
