// The benchmarks, by name, in the order of --help.

import type { BenchCommand } from './benchmark.js';
import { FIT_COMMAND } from './fit/command.js';
import { MEMORY_COMMAND } from './memory/command.js';
import type { BenchName } from './frame.js';
import { SPEED_COMMAND } from './speed/command.js';
import { SYNC_COMMAND } from './sync/command.js';

export const BENCHMARKS: Readonly<Record<BenchName, BenchCommand>> = {
  memory: MEMORY_COMMAND,
  fit: FIT_COMMAND,
  speed: SPEED_COMMAND,
  sync: SYNC_COMMAND,
};
