// `slowlane train`: its options as commander shows them in --help, and as TrainOptions.

import { Command, Option } from 'commander';

import { MODEL_NAMES } from '../../models/names.js';
import { GRADIENT_LIFETIMES, MOMENT_POLICIES } from '../../optimizers/step-options.js';
import { INNER_NAMES } from '../../optimizers/rules/names.js';
import { SLOW_FORMATS } from '../../slow/slow-format.js';
import {
  choice,
  folderName,
  parsed,
  positiveNumber,
  sizeInBytes,
  stepSize,
  syncPeriod,
  wholeNumber,
} from '../terminal/options.js';
import { OVERRIDE_HELP, overrideOption } from '../terminal/override.js';
import { checkTogether } from './checks.js';
import {
  BATCH_SIZES,
  DATA_NAMES,
  DEFAULT_MODELS,
  defaultModel,
  ENGINE_NAMES,
  EPOCHS,
  INNER_STATES,
  LEARNING_RATES,
  type RawTrainOptions,
  type TrainOptions,
} from './options.js';

const EXAMPLES = `
Examples:
  slowlane train                                  MNIST, mlp, adam inside Lookahead
  slowlane train --data moby-dick --steps 500     a book, with the transformer
  slowlane train --inner sgd --sync-period 10 --slow-step-size 0.8
  slowlane train --no-lookahead --out out-adam    the inner optimizer alone, to compare
  slowlane train --override 'kernel:slow=host:f16' --override 'bias:exclude'
  slowlane train --tensorboard runs/1             then: tensorboard --logdir runs
  slowlane train --live                           the report in a browser during training
`;

const DATA_FILES =
  'for mnist and fashion-mnist train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte ' +
  'and t10k-labels-idx1-ubyte, each raw or .gz; for moby-dick data.txt';

/** In the order of --help and of the run record. */
export const TRAIN_OPTIONS: readonly Option[] = [
  choice('--data <name>', 'what to train on', DATA_NAMES).default('mnist'),
  parsed(
    '--data-dir <dir>',
    `read the data from this folder instead of its package: ${DATA_FILES}`,
    folderName,
  ),
  choice(
    '--model <name>',
    `what to train (default: ${DEFAULT_MODELS.images} for images, ${DEFAULT_MODELS.text} for text)`,
    MODEL_NAMES,
  ),
  choice('--inner <name>', 'the inner optimizer', INNER_NAMES).default('adam'),
  parsed(
    '--learning-rate <number>',
    `of the inner optimizer (default: ${listed(LEARNING_RATES)})`,
    positiveNumber,
  ),
  choice(
    '--gradients <when>',
    'keep all until the updates, or release each during the backward pass',
    GRADIENT_LIFETIMES,
  ).default('keep'),
  choice(
    '--moments <where:format>',
    "where and how the inner optimizer's state is kept. host needs --engine webgpu. On wasm and cpu, host and device share memory; 8-bit only costs extra memory and time there.",
    MOMENT_POLICIES,
  ).default('device:f32'),
  parsed(
    '--accumulate <n>',
    'batches per step; their gradients are averaged',
    wholeNumber(1, 2 ** 20),
  ).default(1),
  new Option('--no-lookahead', 'train with the inner optimizer alone'),
  syncPeriod(),
  parsed(
    '--slow-step-size <number>',
    "share of the distance that slow weights move at a sync (the paper's α): 0 to 1, or adaptive",
    stepSize,
  ).default(0.5),
  choice(
    '--inner-state <what>',
    "what happens to the inner optimizer's state at a sync",
    INNER_STATES,
  ).default('maintain'),
  choice('--slow <where:format>', 'where and how slow weights are kept', SLOW_FORMATS).default(
    'host:f32',
  ),
  overrideOption(),
  parsed(
    '--workers <n>',
    'threads that blend; 0: the main thread (default: cores − 1, at least 1)',
    wholeNumber(0, 256),
  ),
  choice('--engine <name>', 'where to train', ENGINE_NAMES).default('auto'),
  parsed(
    '--vram <size>',
    'memory that may be allocated on the device, with --engine webgpu (512MiB, 2GiB)',
    sizeInBytes,
  ),
  parsed(
    '--epochs <n>',
    `passes over the data (default: ${listed(EPOCHS)})`,
    wholeNumber(1),
  ).conflicts('steps'),
  parsed('--steps <n>', 'steps, instead of epochs', wholeNumber(1)),
  parsed(
    '--batch-size <n>',
    `examples per batch (default: ${listed(BATCH_SIZES)})`,
    wholeNumber(1),
  ),
  parsed(
    '--seed <n>',
    'decides the first weights and the order of the data',
    wholeNumber(0, 2 ** 31 - 1),
  ).default(1),
  parsed(
    '--validate-every <n>',
    'steps between two evaluations on the test data (default: only at the end)',
    wholeNumber(1),
  ),
  new Option('--timeline', 'record what device memory is used for, step by step'),
  parsed(
    '--out <dir>',
    'folder for run.json and report.html; it belongs to the run until its end',
    folderName,
  ).default('out'),
  parsed('--tensorboard <dir>', 'folder for events that TensorBoard reads', folderName),
  parsed(
    '--live [port]',
    'serve the report on this machine during training; the address is printed (default port: a free one)',
    wholeNumber(1, 65_535),
  ),
];

/** The command; `run` gets checked options. */
export function trainCommand(run: (options: TrainOptions) => Promise<void>): Command {
  const command = new Command('train').description(
    'Train a model on real data with Lookahead, slow weights in host memory.',
  );
  for (const option of TRAIN_OPTIONS) command.addOption(option);
  command.addHelpText('after', OVERRIDE_HELP + EXAMPLES);
  return command.action(() => run(checked(command)));
}

function checked(command: Command): TrainOptions {
  const raw = command.opts<RawTrainOptions>();
  const model = raw.model ?? defaultModel(raw.data);
  checkTogether(raw, model, command);
  return {
    ...raw,
    model,
    learningRate: raw.learningRate ?? LEARNING_RATES[raw.inner],
    batchSize: raw.batchSize ?? BATCH_SIZES[model],
    ...(raw.steps === undefined ? { epochs: raw.epochs ?? EPOCHS[model] } : {}),
  };
}

/** `mlp 4, cnn 1, …`. */
function listed(values: Readonly<Record<string, number>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
}
