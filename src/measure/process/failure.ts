// How a cell can end without a result.

export const FAILURES = ['out of memory', 'crashed', 'timed out', 'interrupted', 'error'] as const;
export type FailureKind = (typeof FAILURES)[number];

export interface Failure {
  readonly kind: FailureKind;
  readonly reason: string;
}

/** What a cell threw. */
export function failureOf(error: unknown): Failure {
  const reason = error instanceof Error ? error.message : String(error);
  const name = error instanceof Error ? error.name : '';
  const kind = (error as { kind?: unknown } | null)?.kind;
  const isMemory =
    kind === 'out-of-memory' ||
    name === 'VramBudgetError' ||
    /out.?of.?memory|Array buffer allocation failed/i.test(reason);
  return { kind: isMemory ? 'out of memory' : 'error', reason };
}

/** The end of a process without a result: stopped by its parent, or failed. */
export function withoutResult(failure: Failure | null) {
  const why: Failure = failure ?? { kind: 'error', reason: 'it ended without a result' };
  return { status: why.kind === 'interrupted' ? 'stopped' : 'failed', failure: why } as const;
}
