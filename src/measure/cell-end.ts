// How the process of a cell ended, as its record says it.

import type { Failure } from './failure.js';

/** What a cell measured; null where it did not end well. */
export type Nullable<T> = { readonly [K in keyof T]: T[K] | null };

/** Of a process without a result: stopped by whoever asked, or failed. */
export function withoutResult(failure: Failure | null) {
  const why: Failure = failure ?? { kind: 'error', reason: 'it ended without a result' };
  return { status: why.kind === 'interrupted' ? 'stopped' : 'failed', failure: why } as const;
}
