// One policy from its first try to its cell.

import { withoutResult } from '../../../measure/process/failure.js';
import type { Ended } from '../../../measure/process/run-cell.js';
import { estimateLayers, mostLayers } from './estimate.js';
import type { FitCell, FitOptions, FitTry, Trained } from './record.js';
import type { BenchPolicy } from '../../../measure/workloads/policies.js';
import { type Answer, searchLargest } from './search.js';
import type { TryResult } from './try-stack.js';

export interface FitListener {
  onTry?(layers: number): void;
  onTried?(tried: FitTry): void;
}

/** Starts a process for one try, and waits for its end. */
export type RunTry = (policy: BenchPolicy, layers: number) => Promise<Ended<TryResult>>;

/** Never rejects for what becomes of a try: the cell says so. */
export async function fitPolicy(
  policy: BenchPolicy,
  options: FitOptions,
  runTry: RunTry,
  listener: FitListener = {},
): Promise<FitCell> {
  const estimate = estimateLayers(policy, options);
  const tries: FitTry[] = [];
  let largest: Trained | null = null;
  let end: Pick<FitCell, 'status' | 'failure'> = { status: 'done', failure: null };
  const tryLayers = async (layers: number): Promise<Answer> => {
    listener.onTry?.(layers);
    const ended = await runTry(policy, layers);
    const tried = triedOf(layers, ended);
    tries.push(tried);
    if (ended.result?.fits === true) largest = ended.result;
    if (ended.result === null) end = withoutResult(ended.failure);
    listener.onTried?.(tried);
    if (ended.result === null) return 'stop';
    return ended.result.fits ? 'fits' : 'too many';
  };
  const { most, isLargest } = await searchLargest(tryLayers, {
    guess: estimate,
    max: mostLayers(options),
  });
  const parameters = most * options.width ** 2;
  const { peakBytes = null, hostBytes = null, losses = null } = (largest as Trained | null) ?? {};
  return {
    policy: policy.name,
    ...end,
    layers: most,
    isLargest,
    parameters,
    peakBytes,
    hostBytes,
    losses,
    bytesPerParameter: peakBytes === null ? null : peakBytes / parameters,
    estimate,
    tries,
  };
}

function triedOf(layers: number, { result, failure, wallMs }: Ended<TryResult>): FitTry {
  const common = { layers, wallMs: Math.round(wallMs), peakBytes: null };
  if (result === null) {
    const { status: outcome, failure: why } = withoutResult(failure);
    return { ...common, outcome, reason: why.reason };
  }
  if (result.fits) return { ...common, outcome: 'fits', peakBytes: result.peakBytes, reason: null };
  return { ...common, outcome: 'over budget', reason: result.reason };
}
