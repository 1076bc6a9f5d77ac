// `slowlane plan`: its options as commander shows them in --help, and as PlanRequest.

import { Command, InvalidArgumentError, Option } from 'commander';

import { parseCount } from '../../checks/counts.js';
import { BUS_BYTES_PER_SECOND, checkBus } from '../../plan/bus.js';
import { INNER_NAMES } from '../../optimizers/rules/names.js';
import type { PlanOptions } from '../../plan/plan.js';
import { CHOICES } from '../../plan/policies.js';
import { UsageError } from '../terminal/cli-error.js';
import {
  choice,
  fileName,
  parsed,
  sizeInBytes,
  syncPeriod,
  wholeNumber,
} from '../terminal/options.js';
import { type Override, OVERRIDE_HELP, overrideOption } from '../terminal/override.js';

const EXAMPLES = `
Examples:
  slowlane plan --params 350M --vram 4GiB
  slowlane plan --params 1.3B --inner lion --vram 8GiB --bus pcie4x16
  slowlane plan --model path/model.json --batch 32 --vram auto
  slowlane plan --model path/model.json --vram 2GiB --override 'embedding:slow=host:int8'
  slowlane plan --params 350M --vram 2GiB --json      for programs

Exit code 0: something fits; 1: nothing fits; 2: the request was wrong.
`;

/** What commander hands over; its parsers and choices make these types true. */
export interface PlanRequest extends Pick<
  PlanOptions,
  'layers' | 'inner' | 'accumulate' | 'syncPeriod' | 'gradients' | 'moments' | 'slow'
> {
  readonly params?: number;
  readonly model?: string;
  readonly batch: number;
  readonly activations?: number;
  readonly vram: number | 'auto';
  readonly host?: number;
  readonly bus?: number;
  readonly override: readonly Override[];
  readonly json: boolean;
}

const BUS_NAMES = Object.keys(BUS_BYTES_PER_SECOND).join(', ');

const OPTIONS: readonly Option[] = [
  parsed('--params <count>', 'how many parameters: 350M, 1.3B', count).conflicts('model'),
  parsed(
    '--layers <n>',
    'how many equal weights --params stands for (default: 16)',
    wholeNumber(1, 100_000),
  ).conflicts('model'),
  parsed('--model <path>', 'the model.json of a LayersModel, instead of --params', fileName),
  parsed('--batch <n>', 'examples per (micro-)batch', wholeNumber(1, 2 ** 31 - 1)).default(32),
  parsed('--accumulate <n>', 'micro-batches per step', wholeNumber(1, 2 ** 20)).default(1),
  parsed(
    '--activations <size>',
    'with --params: the measured size of activations',
    sizeInBytes,
  ).conflicts('model'),
  choice('--inner <name>', 'the inner optimizer', INNER_NAMES).default('adam'),
  parsed(
    '--vram <size>',
    'the budget on the device: 4GiB, 512MiB, or auto (the free memory that nvidia-smi reports)',
    (text) => (text === 'auto' ? text : sizeInBytes(text, ', or auto')),
  ).makeOptionMandatory(),
  parsed(
    '--host <size>',
    'the budget for slow weights and moments on the host (default: no limit)',
    sizeInBytes,
  ),
  syncPeriod(),
  parsed(
    '--bus <speed>',
    `the speed of the bus, to show the time it adds to a step: 12GB/s, or ${BUS_NAMES}`,
    bus,
  ),
  choice('--gradients <policy>', 'plan only with this policy', CHOICES.gradients),
  choice('--moments <where:format>', 'plan only with this policy', CHOICES.moments),
  choice('--slow <where:format>', 'plan only with this policy', CHOICES.slow),
  overrideOption(),
  new Option('--json', 'print the plan as JSON').default(false),
];

/** The command; `run` gets checked options. */
export function planCommand(run: (request: PlanRequest) => Promise<void>): Command {
  const command = new Command('plan').description(
    'Show what training would take under each policy, and which policy is the fastest that fits.',
  );
  for (const option of OPTIONS) command.addOption(option);
  command.addHelpText('after', OVERRIDE_HELP + EXAMPLES);
  return command.action(() => run(checked(command.opts<PlanRequest>())));
}

function checked(request: PlanRequest): PlanRequest {
  if (request.params !== undefined || request.model !== undefined) return request;
  throw new UsageError(
    'There is nothing to plan: got neither --params nor --model. Give --params 350M or --model path/model.json.',
  );
}

function count(text: string): number {
  try {
    return parseCount('--params', text);
  } catch {
    throw new InvalidArgumentError('It must be a number of parameters: 350M, 1.3B, 124000.');
  }
}

function bus(text: string): number | null {
  try {
    return checkBus('bus', text);
  } catch {
    throw new InvalidArgumentError(`It must be a speed (12GB/s) or one of ${BUS_NAMES}.`);
  }
}
