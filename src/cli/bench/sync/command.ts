// `slowlane bench sync`: its options as commander shows them in --help.

import { Command } from 'commander';

import { SLOW_PLACES, type SlowPlace } from '../../../measure/slow-places.js';
import type { SyncOptions } from './sync-record.js';
import {
  adapterOption,
  type BenchRequest,
  cellTimeoutOption,
  checkIsPacked,
  jsonOption,
  repeatable,
  type RawWorkload,
  workloadOf,
  workloadOptions,
} from '../options.js';
import { parsed, syncPeriod } from '../../terminal/command-options.js';
import { wholeNumber } from '../../terminal/option-values.js';

/** Fewer say nothing about a p95. */
const LEAST_REPEATS = 5;

const AFTER = `
Slow weights:
  host:…     in host memory in this format: they go up and come down over the bus in each sync
  device:f32 slowlane's own, as tensors on the device: nothing goes over the bus
  variables  as one writes it without slowlane: variables on the device, in plain ops

Examples:
  slowlane bench sync
  slowlane bench sync --layers 16 --width 4096 --batch 64 --json sync.json
  slowlane bench sync --slow host:f16 --slow device:f32 --repeats 50
  slowlane bench sync --engine tensorflow --model cnn

Each in a process of its own: two cycles to warm up, then the repeats, each sync from an idle device; then the
bus alone: the same bytes in the same pieces, up and down, by the device's own copies. A software adapter has no
bus: its times say nothing about any GPU. Without --engine webgpu nothing measures the bus.
Exit code 0: all were measured; 1: one failed; 2: the request was wrong; 130: stopped with Ctrl-C.
`;

/** What commander hands over; its parsers and choices make these types true. */
interface RawSync extends RawWorkload {
  readonly syncPeriod: number;
  readonly repeats: number;
  readonly slow?: readonly SlowPlace[];
  readonly cellTimeout: number;
  readonly json?: string;
}

/** The runner gets checked options. */
export function syncCommand(run: (request: BenchRequest<SyncOptions>) => Promise<void>): Command {
  const command = new Command('sync').description(
    "Time Lookahead's syncs alone, in each format of slow weights, against the bus at best.",
  );
  const options = [
    ...workloadOptions(),
    syncPeriod(),
    parsed(
      '--repeats <n>',
      'measured syncs, and rounds of the bus',
      wholeNumber(LEAST_REPEATS, 2 ** 20),
    ).default(20),
    repeatable('--slow <name>', SLOW_PLACES),
    cellTimeoutOption('for one of them'),
    adapterOption(),
    jsonOption(),
  ];
  for (const option of options) command.addOption(option);
  command.addHelpText('after', AFTER);
  return command.action(() => run(checkedSync(command.opts<RawSync>())));
}

function checkedSync(raw: RawSync): BenchRequest<SyncOptions> {
  const { syncPeriod: period, repeats } = raw;
  const workload = workloadOf(raw);
  // In the order of the table, each once; all if none was given.
  const slow = SLOW_PLACES.filter((place) => raw.slow?.includes(place) ?? true);
  for (const place of slow) checkIsPacked(place, workload.width);
  return {
    options: {
      ...workload,
      syncPeriod: period,
      repeats,
      slow,
      cellTimeoutMs: raw.cellTimeout * 1000,
    },
    json: raw.json,
  };
}
