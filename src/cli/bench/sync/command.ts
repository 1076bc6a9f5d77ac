// `slowlane bench sync`: its options as commander shows them in --help.

import { SLOW_PLACES, type SlowPlace } from '../../../measure/workloads/policies.js';
import { parsed, syncPeriod, wholeNumber } from '../../terminal/options.js';
import type { BenchCommand } from '../benchmark.js';
import {
  cellTimeoutOption,
  checkIsPacked,
  type RawWorkload,
  repeatable,
  workloadGiven,
  workloadOptions,
} from '../options.js';
import type { SyncOptions } from './record.js';

/** Fewer say nothing about a p95. */
const LEAST_REPEATS = 5;

/** What commander hands over; its parsers and choices make these types true. */
interface RawSync extends RawWorkload {
  readonly syncPeriod: number;
  readonly repeats: number;
  readonly slow?: readonly SlowPlace[];
  readonly cellTimeout: number;
}

export const SYNC_COMMAND: BenchCommand = {
  description: "Time Lookahead's syncs alone, in each format of slow weights, against the bus.",
  options: [
    ...workloadOptions(),
    syncPeriod(),
    parsed(
      '--repeats <n>',
      'measured syncs, and rounds of the bus',
      wholeNumber(LEAST_REPEATS, 2 ** 20),
    ).default(20),
    repeatable('--slow <name>', SLOW_PLACES),
    cellTimeoutOption('for one place of slow weights'),
  ],
  help: `
Slow weights:
  host:…     in host memory in this format: each sync moves them over the bus, up and down
  device:f32 slowlane's own, as tensors on the device: nothing goes over the bus
  variables  without slowlane: variables on the device, in plain ops

Examples:
  slowlane bench sync
  slowlane bench sync --layers 16 --width 4096 --batch 64 --json sync.json
  slowlane bench sync --slow host:f16 --slow device:f32 --repeats 50
  slowlane bench sync --engine tensorflow --model cnn

Each place is measured in a process of its own. Two cycles warm up, then each sync is timed from an idle device.
Then the bus alone is timed: the same bytes in the same pieces, up and down, by the device's own copies. A software
adapter has no bus: its times say nothing about any GPU. Only --engine webgpu can measure the bus.`,
  check(raw: RawSync): SyncOptions {
    const { syncPeriod: period, repeats } = raw;
    const workload = workloadGiven(raw);
    // In the order of the table, each once; all if none was given.
    const slow = SLOW_PLACES.filter((place) => raw.slow?.includes(place) ?? true);
    for (const place of slow) checkIsPacked(place, workload.width);
    const cellTimeoutMs = raw.cellTimeout * 1000;
    return { ...workload, syncPeriod: period, repeats, slow, cellTimeoutMs };
  },
  load: async () => (await import('./benchmark.js')).SYNC,
};
