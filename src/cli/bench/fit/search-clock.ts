// The tries so far, and from them the time that is left.

import { policyNamed } from '../../../measure/workloads/policies.js';
import { estimateLayers } from './estimate.js';
import type { FitOptions, FitTry } from './record.js';
import { timeLeftMs } from './time-left.js';

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
