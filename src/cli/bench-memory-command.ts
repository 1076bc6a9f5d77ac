// `slowlane bench memory`: its options as commander shows them in --help.

import { Command } from 'commander';

import type { MemoryOptions } from '../bench/memory/memory-record.js';
import { ALL_POLICIES } from '../bench/policies.js';
import {
  adapterOption,
  type BenchRequest,
  checkHasSync,
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
  slowlane bench memory
  slowlane bench memory --layers 16 --width 2048 --json memory.json
  slowlane bench memory --policy tfjs-adam --policy release+device:f32

Every policy trains in a process of its own. Counts are exact: one run says it.
Exit code 0: all were measured; 1: one failed; 2: the request was wrong; 130: stopped with Ctrl-C.
`;

/** What commander hands over; its parsers and choices make these types true. */
interface RawMemory {
  readonly layers: number;
  readonly width: number;
  readonly batch: number;
  readonly steps: number;
  readonly syncPeriod: number;
  readonly policy?: readonly string[];
  readonly cellTimeout: number;
  readonly adapter?: string;
  readonly json?: string;
}

/** The runner gets checked options. */
export function memoryCommand(
  run: (request: BenchRequest<MemoryOptions>) => Promise<void>,
): Command {
  const command = new Command('memory')
    .description('Count what training a stack of dense layers takes at most, under each policy.')
    .addOption(count('--layers <n>', 'dense layers', 2 ** 16).default(4))
    .addOption(count('--width <n>', 'of each layer, which has n × n weights', 2 ** 16).default(256))
    .addOption(count('--batch <n>', 'examples a step').default(8))
    .addOption(count('--steps <n>', 'with a sync among them').default(6))
    .addOption(syncPeriod())
    .addOption(policyOption(ALL_POLICIES))
    .addOption(count('--cell-timeout <seconds>', 'for one policy', 2 ** 20).default(1800))
    .addOption(adapterOption())
    .addOption(jsonOption())
    .addHelpText('after', AFTER);
  return command.action(() => run(checked(command.opts<RawMemory>())));
}

function checked(raw: RawMemory): BenchRequest<MemoryOptions> {
  const { layers, width, batch, steps, syncPeriod } = raw;
  checkHasSync(steps, syncPeriod);
  return {
    options: {
      layers,
      width,
      batch,
      steps,
      syncPeriod,
      cellTimeoutMs: raw.cellTimeout * 1000,
      policies: chosenPolicies(ALL_POLICIES, raw.policy),
      adapter: raw.adapter?.trim() ?? null,
    },
    json: raw.json,
  };
}
