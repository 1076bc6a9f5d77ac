// `slowlane train`: its options as commander shows them in --help, and as TrainOptions.

import { Command } from 'commander';
import { MODEL_NAMES, type ModelName } from '../../models/names.js';
import { GRADIENT_LIFETIMES, MOMENT_POLICIES } from '../../optimizers/step-options.js';
import { SLOW_FORMATS } from '../../slow/slow-format.js';
import { DATA_NAMES, DEFAULT_MODELS, defaultModel, ENGINE_NAMES } from './choices.js';
import { choice, parsed, syncPeriod } from '../terminal/command-options.js';
import {
  folderName,
  positiveNumber,
  sizeInBytes,
  stepSize,
  wholeNumber,
} from '../terminal/option-values.js';
import { checkTogether, type RawTrainOptions } from './checks.js';
import {
  BATCH_SIZES,
  type Duration,
  EPOCHS,
  INNER_NAMES,
  INNER_STATES,
  LEARNING_RATES,
  type TrainOptions,
} from './options.js';

const EXAMPLES = `
Examples:
  slowlane train                                  MNIST, mlp, adam inside Lookahead
  slowlane train --data moby-dick --steps 500     a book, with the transformer
  slowlane train --inner sgd --sync-period 10 --slow-step-size 0.8
  slowlane train --no-lookahead --out out-adam    the same, to compare with
  slowlane train --tensorboard runs/1             and then: tensorboard --logdir runs
  slowlane train --live                           the report in a browser, while it trains
`;

const DATA_FILES =
  'for mnist and fashion-mnist train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte ' +
  'and t10k-labels-idx1-ubyte, each raw or .gz; for moby-dick data.txt';

/** The command; `run` gets checked options. */
export function trainCommand(run: (options: TrainOptions) => Promise<void>): Command {
  const command = new Command('train')
    .description('Train a model on real data with Lookahead, slow weights in host memory.')
    .addOption(choice('--data <name>', 'what to train on', DATA_NAMES).default('mnist'))
    .addOption(
      parsed(
        '--data-dir <dir>',
        `read the data from this folder instead of its package: ${DATA_FILES}`,
        folderName,
      ),
    )
    .addOption(
      choice(
        '--model <name>',
        `what to train (default: ${DEFAULT_MODELS.images} for images, ${DEFAULT_MODELS.text} for text)`,
        MODEL_NAMES,
      ),
    )
    .addOption(choice('--inner <name>', 'the inner optimizer', INNER_NAMES).default('adam'))
    .addOption(
      parsed(
        '--learning-rate <number>',
        `of the inner optimizer (default: ${listed(LEARNING_RATES)})`,
        positiveNumber,
      ),
    )
    .addOption(
      choice(
        '--gradients <when>',
        'keep all until the updates, or release each during the backward pass',
        GRADIENT_LIFETIMES,
      ).default('keep'),
    )
    .addOption(
      choice(
        '--moments <where:format>',
        "where and how the inner optimizer's state is kept; host is for --engine webgpu, on wasm and cpu it is the same memory, and 8 bits take more of it and of time",
        MOMENT_POLICIES,
      ).default('device:f32'),
    )
    .addOption(
      parsed(
        '--accumulate <n>',
        'batches to a step, which is by the mean of their gradients',
        wholeNumber(1, 2 ** 20),
      ).default(1),
    )
    .addOption(syncPeriod())
    .addOption(
      parsed(
        '--slow-step-size <number>',
        "share of the way that slow weights go at a sync (the paper's α): 0 to 1, or adaptive",
        stepSize,
      ).default(0.5),
    )
    .addOption(
      choice('--inner-state <what>', "the inner optimizer's state at a sync", INNER_STATES).default(
        'maintain',
      ),
    )
    .addOption(
      choice('--slow <where:format>', 'where and how slow weights are kept', SLOW_FORMATS).default(
        'host:f32',
      ),
    )
    .addOption(
      parsed(
        '--workers <n>',
        'threads that blend; 0: the main thread (default: cores − 1, at least 1)',
        wholeNumber(0, 256),
      ),
    )
    .option('--no-lookahead', 'train with the inner optimizer alone')
    .addOption(choice('--engine <name>', 'where to train', ENGINE_NAMES).default('auto'))
    .addOption(
      parsed(
        '--vram <size>',
        'memory that may be allocated on the device, with --engine webgpu (512MiB, 2GiB)',
        sizeInBytes,
      ),
    )
    .addOption(
      parsed(
        '--epochs <n>',
        `passes over the data (default: ${listed(EPOCHS)})`,
        wholeNumber(1),
      ).conflicts('steps'),
    )
    .addOption(parsed('--steps <n>', 'steps, instead of epochs', wholeNumber(1)))
    .addOption(
      parsed(
        '--batch-size <n>',
        `examples per batch (default: ${listed(BATCH_SIZES)})`,
        wholeNumber(1),
      ),
    )
    .addOption(
      parsed(
        '--seed <n>',
        'decides the first weights and the order of the data',
        wholeNumber(0, 2 ** 31 - 1),
      ).default(1),
    )
    .addOption(
      parsed(
        '--validate-every <n>',
        'steps from one look at the test data to the next (default: at the end alone)',
        wholeNumber(1),
      ),
    )
    .option('--timeline', 'record what device memory is for, step by step')
    .addOption(
      parsed('--out <dir>', 'folder for run.json and report.html', folderName).default('out'),
    )
    .addOption(
      parsed('--tensorboard <dir>', 'folder for events that TensorBoard reads', folderName),
    )
    .addOption(
      parsed(
        '--live [port]',
        'serve the report on this machine while it trains; the address is printed (default port: a free one)',
        wholeNumber(1, 65_535),
      ),
    )
    .addHelpText('after', EXAMPLES);
  return command.action(() => run(checked(command)));
}

function checked(command: Command): TrainOptions {
  const raw = command.opts<RawTrainOptions>();
  const model = raw.model ?? defaultModel(raw.data);
  checkTogether(raw, model, command);
  return {
    data: raw.data,
    dataDir: raw.dataDir,
    model,
    inner: raw.inner,
    learningRate: raw.learningRate ?? LEARNING_RATES[raw.inner],
    gradients: raw.gradients,
    moments: raw.moments,
    accumulate: raw.accumulate,
    lookahead: raw.lookahead
      ? {
          syncPeriod: raw.syncPeriod,
          slowStepSize: raw.slowStepSize,
          innerState: raw.innerState,
          slow: raw.slow,
          workers: raw.workers,
        }
      : undefined,
    engine: raw.engine,
    vram: raw.vram,
    duration: durationOf(raw, model),
    batchSize: raw.batchSize ?? BATCH_SIZES[model],
    seed: raw.seed,
    validateEvery: raw.validateEvery,
    timeline: raw.timeline === true,
    out: raw.out,
    tensorboard: raw.tensorboard,
    live: raw.live === true ? 0 : raw.live,
  };
}

function durationOf(raw: RawTrainOptions, model: ModelName): Duration {
  if (raw.steps !== undefined) return { unit: 'steps', count: raw.steps };
  if (raw.epochs !== undefined) return { unit: 'epochs', count: raw.epochs };
  return { unit: 'epochs', count: EPOCHS[model] };
}

/** `mlp 4, cnn 1, …`. */
function listed(values: Readonly<Record<string, number>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
}
