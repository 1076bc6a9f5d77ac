// `slowlane plan`: its options as commander shows them in --help, and as PlanRequest.

import { Command, InvalidArgumentError, Option } from 'commander';
import { parseBytes } from '../../checks/bytes.js';
import { BUS_BYTES_PER_SECOND, checkBus } from '../../plan/bus.js';
import { parseCount } from '../../checks/counts.js';
import type { GradientLifetime, MomentPolicy } from '../../optimizers/step-options.js';
import { PLANNED_INNERS, type PlannedInner } from '../../plan/inner-names.js';
import { CHOICES } from '../../plan/policies.js';
import type { SlowFormat } from '../../slow/slow-format.js';
import { UsageError } from '../terminal/cli-error.js';
import { choice, parsed, syncPeriod } from '../terminal/command-options.js';
import { wholeNumber } from '../terminal/option-values.js';

const EXAMPLES = `
Examples:
  slowlane plan --params 350M --vram 4GiB
  slowlane plan --params 1.3B --inner lion --vram 8GiB --bus pcie4x16
  slowlane plan --model path/model.json --batch 32 --vram auto
  slowlane plan --params 350M --vram 2GiB --json      for programs

Exit code 0: something fits; 1: nothing does; 2: the request was wrong.
`;

/** What commander hands over; its parsers and choices make these types true. */
export interface PlanRequest {
  readonly params?: number;
  readonly layers?: number;
  readonly model?: string;
  readonly batch: number;
  readonly accumulate: number;
  readonly activations?: number;
  readonly inner: PlannedInner;
  readonly vram: number | 'auto';
  readonly host?: number;
  readonly syncPeriod: number;
  readonly bus?: number;
  readonly gradients?: GradientLifetime;
  readonly moments?: MomentPolicy;
  readonly slow?: SlowFormat;
  readonly json: boolean;
}

/** The command; `run` gets checked options. */
export function planCommand(run: (request: PlanRequest) => Promise<void>): Command {
  const command = new Command('plan')
    .description(
      'Say what training would take under each policy, and which is the fastest that fits.',
    )
    .addOption(
      parsed('--params <count>', 'how many parameters: 350M, 1.3B', count).conflicts('model'),
    )
    .addOption(
      parsed(
        '--layers <n>',
        'how many weights of the same size --params are (default: 16)',
        wholeNumber(1, 100_000),
      ).conflicts('model'),
    )
    .addOption(
      parsed('--model <path>', 'a model.json of a LayersModel, instead of --params', fileName),
    )
    .addOption(
      parsed('--batch <n>', 'examples per (micro-)batch', wholeNumber(1, 2 ** 31 - 1)).default(32),
    )
    .addOption(
      parsed('--accumulate <n>', 'micro-batches to a step', wholeNumber(1, 2 ** 20)).default(1),
    )
    .addOption(
      parsed(
        '--activations <size>',
        'with --params: what activations take, if you have measured it',
        size,
      ).conflicts('model'),
    )
    .addOption(choice('--inner <name>', 'the inner optimizer', PLANNED_INNERS).default('adam'))
    .addOption(
      parsed(
        '--vram <size>',
        'the budget on the device: 4GiB, 512MiB, or auto (what nvidia-smi says is free)',
        (text) => (text === 'auto' ? text : size(text, ', or auto')),
      ).makeOptionMandatory(),
    )
    .addOption(
      parsed(
        '--host <size>',
        'the budget for slow weights and moments on the host (default: no limit)',
        size,
      ),
    )
    .addOption(syncPeriod())
    .addOption(
      parsed(
        '--bus <speed>',
        `for the time a step takes longer: 12GB/s, or ${BUS_NAMES.join(', ')}`,
        bus,
      ),
    )
    .addOption(choice('--gradients <policy>', 'only plans with these', CHOICES.gradients))
    .addOption(choice('--moments <where:format>', 'only plans with these', CHOICES.moments))
    .addOption(choice('--slow <where:format>', 'only plans with these', CHOICES.slow))
    .addOption(new Option('--json', 'print the plan as JSON').default(false))
    .addHelpText('after', EXAMPLES);
  return command.action(() => run(checked(command.opts<PlanRequest>())));
}

const BUS_NAMES = Object.keys(BUS_BYTES_PER_SECOND);

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

function size(text: string, or = ''): number {
  try {
    return parseBytes('size', text);
  } catch {
    throw new InvalidArgumentError(`It must be a size with its unit (4GiB, 512MiB, 1.5 GB)${or}.`);
  }
}

function bus(text: string): number {
  try {
    const bytesPerSecond = checkBus('bus', text);
    if (bytesPerSecond !== null) return bytesPerSecond;
  } catch {
    // Said below.
  }
  throw new InvalidArgumentError(`It must be a speed (12GB/s) or one of ${BUS_NAMES.join(', ')}.`);
}

function fileName(text: string): string {
  if (text !== '') return text;
  throw new InvalidArgumentError('It must be the path of a model.json.');
}
