// One policy from its first try to its cell.

import type { Failure } from '../../../measure/process/failure.js';
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
  let failure: Failure | null = null;
  const tryLayers = async (layers: number): Promise<Answer> => {
    listener.onTry?.(layers);
    const ended = await runTry(policy, layers);
    const tried = triedOf(layers, ended);
    tries.push(tried);
    if (ended.result?.fits === true) largest = trainedOf(ended.result);
    if (ended.result === null) failure = failureOfTry(ended);
    listener.onTried?.(tried);
    if (ended.result === null) return 'stop';
    return ended.result.fits ? 'fits' : 'too many';
  };
  const found = await searchLargest(tryLayers, { guess: estimate, max: mostLayers(options) });
  return cellOf({ policy, options, estimate, tries, largest, failure, ...found });
}

interface Outcome {
  readonly policy: BenchPolicy;
  readonly options: FitOptions;
  readonly estimate: number | null;
  readonly tries: readonly FitTry[];
  readonly largest: Trained | null;
  readonly failure: Failure | null;
  readonly most: number;
  readonly isLargest: boolean;
}

function cellOf(outcome: Outcome): FitCell {
  const { policy, options, estimate, tries, largest, failure, most, isLargest } = outcome;
  const parameters = most * options.width ** 2;
  return {
    policy: policy.name,
    status: failure === null ? 'done' : failure.kind === 'interrupted' ? 'stopped' : 'failed',
    layers: most,
    isLargest,
    parameters,
    peakBytes: largest?.peakBytes ?? null,
    hostBytes: largest?.hostBytes ?? null,
    bytesPerParameter: largest === null ? null : largest.peakBytes / parameters,
    losses: largest?.losses ?? null,
    estimate,
    tries,
    failure,
  };
}

function triedOf(layers: number, ended: Ended<TryResult>): FitTry {
  const { result, wallMs } = ended;
  const common = { layers, wallMs: Math.round(wallMs) };
  if (result === null) {
    const { kind, reason } = failureOfTry(ended);
    const outcome = kind === 'interrupted' ? 'stopped' : 'failed';
    return { ...common, outcome, peakBytes: null, reason };
  }
  if (result.fits) return { ...common, outcome: 'fits', peakBytes: result.peakBytes, reason: null };
  return { ...common, outcome: 'over budget', peakBytes: null, reason: result.reason };
}

function failureOfTry({ failure }: Ended<TryResult>): Failure {
  return failure ?? { kind: 'error', reason: 'it ended without a result' };
}

function trainedOf({ peakBytes, hostBytes, losses }: Trained): Trained {
  return { peakBytes, hostBytes, losses };
}
