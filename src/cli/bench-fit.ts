// `slowlane bench fit`: policies one after the other, every try in a fresh process.

import { measureCell } from '../bench/cells.js';
import { fitPolicy, type RunTry } from '../bench/fit/fit-policy.js';
import type { FitCell, FitOptions } from '../bench/fit/fit-record.js';
import { policyNamed } from '../measure/policies.js';
import { startFitProgress } from './bench-fit-progress.js';
import { fitText } from './bench-fit-text.js';
import type { Benchmark } from './bench-run.js';

export const FIT: Benchmark<'fit', FitOptions, FitCell> = {
  name: 'fit',
  measure,
  text: fitText,
  saysAnything: ({ layers, isLargest }) => isLargest || layers > 0,
};

async function* measure(options: FitOptions, signal: AbortSignal): AsyncGenerator<FitCell> {
  const progress = startFitProgress(options, process.stderr, signal);
  const { tryTimeoutMs: timeoutMs } = options;
  const runTry: RunTry = ({ name: policy }, layers) =>
    measureCell('fit', { ...options, policy, layers }, { timeoutMs, signal });
  try {
    for (const name of options.policies) {
      if (signal.aborted) return;
      const cell = await fitPolicy(policyNamed(name), options, runTry, progress);
      progress.onCell(cell);
      yield cell;
    }
  } finally {
    progress.stop();
  }
}
