// `slowlane bench speed`: policies one after the other, each in a fresh process.

import { measureCell } from '../bench/cells.js';
import { speedCellOf } from '../bench/speed/speed-cell.js';
import type { SpeedCell, SpeedOptions } from '../bench/speed/speed-record.js';
import { formatMs } from '../memory/quantities.js';
import { measureEach } from './bench-cells-progress.js';
import type { Benchmark } from './bench-run.js';
import { speedText } from './bench-speed-text.js';

export const SPEED: Benchmark<'speed', SpeedOptions, SpeedCell> = {
  name: 'speed',
  measure: (options, signal) =>
    measureEach(options.policies, signal, (policy) => measureOne(policy, options, signal), endOf),
  text: speedText,
  saysAnything: ({ status }) => status === 'done',
};

async function measureOne(
  policy: string,
  options: SpeedOptions,
  signal: AbortSignal,
): Promise<SpeedCell> {
  const conditions = { timeoutMs: options.cellTimeoutMs, signal };
  const ended = await measureCell('speed', { ...options, policy }, conditions);
  return speedCellOf(policy, ended, options.syncPeriod);
}

function endOf({ cycleMs, status, failure }: SpeedCell): string {
  if (cycleMs !== null) return `${formatMs(cycleMs.median)} a step`;
  return `${status}: ${failure?.reason ?? ''}`;
}
