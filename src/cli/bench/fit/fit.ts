// `slowlane bench fit`: policies one after the other, every try in a fresh process.

import { measureCell } from '../cells.js';
import { fitPolicy, type RunTry } from './fit-policy.js';
import type { FitCell, FitOptions } from './fit-record.js';
import { policyNamed } from '../../../measure/policies.js';
import { startFitProgress } from './progress.js';
import { fitText } from './text.js';
import type { Benchmark } from '../run.js';

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
