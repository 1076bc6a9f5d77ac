// `slowlane bench speed`: its options as commander shows them in --help.

import { Command } from 'commander';

import { ALL_POLICIES } from '../bench/policies.js';
import type { SpeedOptions } from '../bench/speed/speed-record.js';
import {
  adapterOption,
  type BenchRequest,
  chosenPolicies,
  count,
  jsonOption,
  policiesText,
  policyOption,
} from './bench-options.js';
import { syncPeriod } from './command-options.js';

const AFTER = `
Policies:
${policiesText(ALL_POLICIES)}

Examples:
  slowlane bench speed
  slowlane bench speed --layers 16 --width 4096 --batch 64 --steps 30 --json speed.json
  slowlane bench speed --policy keep-adam --policy keep+device:f32

Every policy trains in a process of its own: two cycles to warm up, then the repeats. A software adapter's
times say nothing about any GPU.
Exit code 0: all were measured; 1: one failed; 2: the request was wrong; 130: stopped with Ctrl-C.
`;

/** What commander hands over; its parsers and choices make these types true. */
interface RawSpeed {
  readonly layers: number;
  readonly width: number;
  readonly batch: number;
  readonly steps: number;
  readonly repeats: number;
  readonly syncPeriod: number;
  readonly policy?: readonly string[];
  readonly cellTimeout: number;
  readonly adapter?: string;
  readonly json?: string;
}

/** The runner gets checked options. */
export function speedCommand(run: (request: BenchRequest<SpeedOptions>) => Promise<void>): Command {
  const command = new Command('speed')
    .description('Time the steps of training a stack of dense layers, under each policy.')
    .addOption(count('--layers <n>', 'dense layers', 2 ** 16).default(4))
    .addOption(count('--width <n>', 'of each layer, which has n × n weights', 2 ** 16).default(256))
    .addOption(count('--batch <n>', 'examples a step').default(8))
    .addOption(count('--steps <n>', 'of a repeat; rounded up to whole cycles', 2 ** 20).default(10))
    .addOption(count('--repeats <n>', 'of the steps', 2 ** 20).default(5))
    .addOption(syncPeriod())
    .addOption(policyOption(ALL_POLICIES))
    .addOption(count('--cell-timeout <seconds>', 'for one policy', 2 ** 20).default(1800))
    .addOption(adapterOption())
    .addOption(jsonOption())
    .addHelpText('after', AFTER);
  return command.action(() => run(checked(command.opts<RawSpeed>())));
}

function checked(raw: RawSpeed): BenchRequest<SpeedOptions> {
  const { layers, width, batch, repeats, syncPeriod } = raw;
  return {
    options: {
      layers,
      width,
      batch,
      steps: Math.ceil(raw.steps / syncPeriod) * syncPeriod,
      repeats,
      syncPeriod,
      cellTimeoutMs: raw.cellTimeout * 1000,
      policies: chosenPolicies(ALL_POLICIES, raw.policy),
      adapter: raw.adapter?.trim() ?? null,
    },
    json: raw.json,
  };
}
