// `slowlane bench speed`: policies one after the other, each in a fresh process.

import { measureCell } from '../cells.js';
import { NO_DRIVER, startDriverMeter } from '../../../measure/driver-meter.js';
import type { MachineRecord } from '../../../measure/machine.js';
import { speedCellOf } from './speed-cell.js';
import type { SpeedCell, SpeedOptions } from './speed-record.js';
import { formatMs } from '../../../checks/quantities.js';
import { measureEach } from '../cells-progress.js';
import type { Benchmark } from '../run.js';
import { speedText } from './text.js';

export const SPEED: Benchmark<'speed', SpeedOptions, SpeedCell> = {
  name: 'speed',
  measure: (options, signal, machine) =>
    measureEach(
      options.policies,
      signal,
      (policy) => measureOne(policy, options, signal, machine),
      endOf,
    ),
  text: speedText,
  saysAnything: ({ status }) => status === 'done',
};

async function measureOne(
  policy: string,
  options: SpeedOptions,
  signal: AbortSignal,
  { nvidia }: MachineRecord,
): Promise<SpeedCell> {
  // A GPU beside a CPU that computes has nothing to do with the numbers.
  const driver = nvidia === null ? NO_DRIVER : await startDriverMeter('awaited');
  const ended = await measureCell(
    'speed',
    { ...options, policy },
    {
      timeoutMs: options.cellTimeoutMs,
      signal,
      onStart: (pid) => driver.process(pid),
      onPhase: (phase) => driver.enter(phase),
    },
  );
  return speedCellOf(policy, ended, await driver.stop(), options.syncPeriod);
}

function endOf({ cycleMs, status, failure }: SpeedCell): string {
  if (cycleMs !== null) return `${formatMs(cycleMs.median)} a step`;
  return `${status}: ${failure?.reason ?? ''}`;
}
