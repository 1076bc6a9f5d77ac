// `slowlane bench speed`: its options as commander shows them in --help.

import type { Command } from 'commander';

import { ALL_POLICIES } from '../../../measure/policies.js';
import type { SpeedOptions } from './speed-record.js';
import type { SlowFormat } from '../../../slow/slow-format.js';
import {
  type BenchRequest,
  cellCommand,
  cellOptions,
  checkedSlow,
  count,
  ENGINES_TEXT,
  policiesText,
  type RawCell,
  slowOption,
} from '../options.js';

const AFTER = `
Policies:
${policiesText(ALL_POLICIES)}

Examples:
  slowlane bench speed
  slowlane bench speed --layers 16 --width 4096 --batch 64 --steps 30 --json speed.json
  slowlane bench speed --policy keep-adam --policy keep+device:f32 --slow host:f16
  slowlane bench speed --engine tensorflow --model cnn

${ENGINES_TEXT}
Every policy trains in a process of its own: two cycles to warm up, then the repeats. A software adapter's
times say nothing about any GPU.
Exit code 0: all were measured; 1: one failed; 2: the request was wrong; 130: stopped with Ctrl-C.
`;

interface RawSpeed extends RawCell {
  readonly repeats: number;
  readonly slow: SlowFormat;
}

/** The runner gets checked options. */
export function speedCommand(run: (request: BenchRequest<SpeedOptions>) => Promise<void>): Command {
  const command = cellCommand('speed', [
    count('--steps <n>', 'of a repeat; rounded up to whole cycles', 2 ** 20).default(10),
    count('--repeats <n>', 'of the steps', 2 ** 20).default(5),
    slowOption(),
  ])
    .description('Time the steps of training, under each policy.')
    .addHelpText('after', AFTER);
  return command.action(() => {
    const raw = command.opts<RawSpeed>();
    const { repeats, syncPeriod } = raw;
    const steps = Math.ceil(raw.steps / syncPeriod) * syncPeriod;
    const options = { ...cellOptions(raw), steps, repeats };
    return run({ options: { ...options, slow: checkedSlow(raw.slow, options) }, json: raw.json });
  });
}
