// `slowlane bench speed`: its options as commander shows them in --help.

import { ALL_POLICIES } from '../../../measure/workloads/policies.js';
import type { BenchCommand } from '../benchmark.js';
import {
  cellOptionList,
  cellOptions,
  checkedSlow,
  count,
  ENGINES_TEXT,
  policiesText,
  type RawCell,
  slowOption,
} from '../options.js';
import type { SpeedOptions } from './record.js';

interface RawSpeed extends RawCell, Pick<SpeedOptions, 'repeats' | 'slow'> {}

export const SPEED_COMMAND: BenchCommand = {
  description: 'Time the steps of training, under each policy.',
  options: cellOptionList([
    count('--steps <n>', 'steps of a repeat; rounded up to whole cycles', 2 ** 20).default(10),
    count('--repeats <n>', 'how often the steps are repeated', 2 ** 20).default(5),
    slowOption(),
  ]),
  help: `
Policies:
${policiesText(ALL_POLICIES)}

Examples:
  slowlane bench speed
  slowlane bench speed --layers 16 --width 4096 --batch 64 --steps 30 --json speed.json
  slowlane bench speed --policy keep-adam --policy keep+device:f32 --slow host:f16
  slowlane bench speed --engine tensorflow --model cnn

${ENGINES_TEXT}
Two cycles warm up, then the repeats are timed. Times of a software adapter say nothing about any GPU.`,
  check(raw: RawSpeed): SpeedOptions {
    const { repeats, syncPeriod } = raw;
    const steps = Math.ceil(raw.steps / syncPeriod) * syncPeriod;
    const options = { ...cellOptions(raw), steps, repeats };
    return { ...options, slow: checkedSlow(raw.slow, options) };
  },
  load: async () => (await import('./benchmark.js')).SPEED,
};
