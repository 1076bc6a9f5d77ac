// `slowlane bench memory`: policies one after the other, each in a fresh process, with the driver asked meanwhile.

import { measureCell } from '../cells.js';
import { NO_DRIVER, startDriverMeter } from '../../../measure/driver-meter.js';
import type { MachineRecord } from '../../../measure/machine.js';
import { memoryCellOf } from './memory-cell.js';
import type { MemoryCell, MemoryOptions } from './memory-record.js';
import { measureEach } from '../cells-progress.js';
import { memoryText } from './text.js';
import type { Benchmark } from '../run.js';

export const MEMORY: Benchmark<'memory', MemoryOptions, MemoryCell> = {
  name: 'memory',
  measure: (options, signal, machine) =>
    measureEach(
      options.policies,
      signal,
      (policy) => measureOne(policy, options, signal, machine),
      endOf,
    ),
  text: memoryText,
  saysAnything: ({ status }) => status === 'done',
};

async function measureOne(
  policy: string,
  options: MemoryOptions,
  signal: AbortSignal,
  { nvidia }: MachineRecord,
): Promise<MemoryCell> {
  // A GPU beside a CPU that computes has nothing to do with the numbers.
  const driver = nvidia === null ? NO_DRIVER : await startDriverMeter();
  const ended = await measureCell(
    'memory',
    { ...options, policy },
    {
      timeoutMs: options.cellTimeoutMs,
      signal,
      onStart: (pid) => driver.process(pid),
      onPhase: (phase) => driver.enter(phase),
    },
  );
  return memoryCellOf(policy, ended, await driver.stop());
}

function endOf(cell: MemoryCell): string {
  const { allocatorBytesPerParameter, logicalBytesPerParameter, status, failure } = cell;
  if (allocatorBytesPerParameter !== null) {
    return `${allocatorBytesPerParameter.toFixed(2)} B a parameter`;
  }
  if (logicalBytesPerParameter !== null) {
    return `${logicalBytesPerParameter.toFixed(2)} B a parameter by the logical count`;
  }
  return `${status}: ${failure?.reason ?? ''}`;
}
