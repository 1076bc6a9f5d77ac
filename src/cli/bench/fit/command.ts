// `slowlane bench fit`: its options as commander shows them in --help.

import { Command } from 'commander';

import { mostLayers } from './estimate.js';
import type { FitOptions } from './fit-record.js';
import { FIT_POLICIES } from '../../../measure/policies.js';
import { formatBytes } from '../../../checks/quantities.js';
import {
  adapterOption,
  type BenchRequest,
  checkHasSync,
  chosenPolicies,
  count,
  jsonOption,
  policiesText,
  policyOption,
} from '../options.js';
import { UsageError } from '../../terminal/cli-error.js';
import { parsed, syncPeriod } from '../../terminal/command-options.js';
import { sizeInBytes } from '../../terminal/option-values.js';

const FIT_AFTER = `
Policies:
${policiesText(FIT_POLICIES)}

Examples:
  slowlane bench fit --vram 64MiB
  slowlane bench fit --vram 2GiB --width 2048 --json fit.json
  slowlane bench fit --vram 64MiB --policy release+device:q8

It is of WebGPU alone: no other engine has a hard budget.
Every try trains in a process of its own. Only a try that the budget refuses counts as a no.
Exit code 0: all were measured; 1: a try failed; 2: the request was wrong; 130: stopped with Ctrl-C.
`;

/** What commander hands over; its parsers and choices make these types true. */
interface RawFit {
  readonly vram: number;
  readonly width: number;
  readonly batch: number;
  readonly steps: number;
  readonly syncPeriod: number;
  readonly maxLayers: number;
  readonly tryTimeout: number;
  readonly policy?: readonly string[];
  readonly adapter?: string;
  readonly json?: string;
}

/** The runner gets checked options. */
export function fitCommand(run: (request: BenchRequest<FitOptions>) => Promise<void>): Command {
  const command = new Command('fit')
    .description(
      'Find the largest stack of dense layers that trains within a hard budget, under each policy.',
    )
    .addOption(
      parsed(
        '--vram <size>',
        'the budget on the device: 64MiB, 2GiB',
        sizeInBytes,
      ).makeOptionMandatory(),
    )
    .addOption(count('--width <n>', 'of each layer, which has n × n weights', 2 ** 16).default(512))
    .addOption(count('--batch <n>', 'examples a step').default(8))
    .addOption(count('--steps <n>', 'of a try, with a sync among them').default(6))
    .addOption(syncPeriod())
    .addOption(policyOption(FIT_POLICIES))
    .addOption(count('--max-layers <n>', 'no larger stack is tried').default(1000))
    .addOption(count('--try-timeout <seconds>', 'for one try', 2 ** 20).default(1800))
    .addOption(adapterOption())
    .addOption(jsonOption())
    .addHelpText('after', FIT_AFTER);
  return command.action(() => run(checkedFit(command.opts<RawFit>())));
}

function checkedFit(raw: RawFit): BenchRequest<FitOptions> {
  const { vram: vramBytes, width, batch, steps, syncPeriod, maxLayers, policy } = raw;
  checkHasSync(steps, syncPeriod);
  if (mostLayers({ vramBytes, width, maxLayers }) < 1) {
    throw new UsageError(
      `--vram ${formatBytes(vramBytes)} does not hold the weights of one layer of --width ${width} ` +
        `(${formatBytes(4 * width ** 2)}). Give more --vram or less --width.`,
    );
  }
  const policies = chosenPolicies(FIT_POLICIES, policy);
  const tryTimeoutMs = raw.tryTimeout * 1000;
  const adapter = raw.adapter?.trim() ?? null;
  return {
    options: {
      vramBytes,
      width,
      batch,
      steps,
      syncPeriod,
      maxLayers,
      tryTimeoutMs,
      policies,
      adapter,
    },
    json: raw.json,
  };
}
