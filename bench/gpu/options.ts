// The command line of the benchmark.

import { Command, InvalidArgumentError, type Option } from 'commander';

import { parsed } from '../../src/cli/terminal/command-options.js';
import { wholeNumber } from '../../src/cli/terminal/option-values.js';
import { type Cell, CELLS, cellNamed } from './cells.js';
import type { CellOptions } from './record.js';

export interface BenchOptions {
  readonly cell: CellOptions;
  readonly cells: readonly Cell[];
  /** Undefined: bench/results/<machine>.json. */
  readonly out: string | undefined;
  readonly cellTimeoutMs: number;
  readonly commit: string | undefined;
  readonly list: boolean;
}

interface RawOptions {
  readonly layers: number;
  readonly width: number;
  readonly batch: number;
  readonly steps: number;
  readonly repeats: number;
  readonly k: number;
  readonly cells: readonly Cell[];
  readonly adapter?: string;
  readonly out?: string;
  readonly cellTimeout: number;
  readonly commit?: string;
  readonly list?: boolean;
}

const AFTER = `
Every cell runs in a process of its own. A cell that fails leaves a row with its reason. Ctrl-C writes what
was measured until then, marked partial.

  node dist/bench/gpu.js                                          a GPU with 24 GB or more
  node dist/bench/gpu.js --layers 4 --width 128 --batch 8 --steps 10 --repeats 1     a try
`;

/** Throws a CommanderError, already printed, for wrong options and after --help. */
export function parseOptions(argv: readonly string[]): BenchOptions {
  const command = new Command('bench:gpu')
    .description('Time and memory of training a stack of dense layers on WebGPU.')
    .exitOverride()
    .showHelpAfterError('(--help lists what is allowed)')
    .addOption(count('--layers <n>', 'dense layers', 1).default(16))
    .addOption(parsed('--width <n>', 'of each layer, a multiple of 4', multipleOf4).default(4096))
    .addOption(count('--batch <n>', 'examples a step', 1).default(64))
    .addOption(count('--steps <n>', 'of a repeat; rounded up to whole cycles', 1).default(30))
    .addOption(count('--repeats <n>', 'of the steps', 1).default(5))
    .addOption(count('--k <n>', 'steps from sync to sync', 1).default(5))
    .addOption(
      parsed('--cells <names>', 'only these, by commas', cellsOf).default(CELLS, 'all of --list'),
    )
    .option('--adapter <name>', "part of the adapter's name (default: the fast one)")
    .option('--out <file>', 'the JSON file (default: bench/results/<machine>.json)')
    .addOption(count('--cell-timeout <seconds>', 'for one cell', 1).default(300))
    .option('--commit <id>', 'of what is measured, where there is no git')
    .option('--list', 'names the cells and ends')
    .addHelpText('after', AFTER);
  const raw = command.parse(argv).opts<RawOptions>();
  const { layers, width, batch, repeats, adapter, k: syncPeriod } = raw;
  const steps = Math.ceil(raw.steps / syncPeriod) * syncPeriod;
  return {
    cell: { layers, width, batch, steps, repeats, syncPeriod, adapter },
    cells: raw.cells,
    out: raw.out,
    cellTimeoutMs: raw.cellTimeout * 1000,
    commit: raw.commit,
    list: raw.list === true,
  };
}

function count(flags: string, description: string, min: number): Option {
  return parsed(flags, description, wholeNumber(min, 2 ** 20));
}

/** Half a weight must be whole words for the copy that updates are compared with. */
function multipleOf4(text: string): number {
  const width = wholeNumber(4, 2 ** 16)(text);
  if (width % 4 === 0) return width;
  throw new InvalidArgumentError('It must be a multiple of 4.');
}

/** In the order given, each once. */
function cellsOf(text: string): Cell[] {
  const names = text.split(',').map((name) => name.trim());
  const chosen = names.map((name) => {
    const cell = cellNamed(name);
    if (cell !== undefined) return cell;
    throw new InvalidArgumentError(`There is no cell '${name}'; --list names them.`);
  });
  return [...new Set(chosen)];
}
