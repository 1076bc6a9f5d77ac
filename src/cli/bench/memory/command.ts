// `slowlane bench memory`: its options as commander shows them in --help.

import { ALL_POLICIES } from '../../../measure/workloads/policies.js';
import type { BenchCommand } from '../benchmark.js';
import {
  cellOptionList,
  cellOptions,
  checkHasSync,
  count,
  ENGINES_TEXT,
  policiesText,
  type RawCell,
} from '../options.js';
import type { MemoryOptions } from './record.js';

export const MEMORY_COMMAND: BenchCommand = {
  description: 'Count what training takes at most, under each policy.',
  options: cellOptionList([count('--steps <n>', 'steps, at least one sync among them').default(6)]),
  help: `
Policies:
${policiesText(ALL_POLICIES)}

Examples:
  slowlane bench memory
  slowlane bench memory --layers 16 --width 2048 --json memory.json
  slowlane bench memory --policy tfjs-adam --policy release+device:f32
  slowlane bench memory --model transformer --batch 32
  slowlane bench memory --engine wasm --model mlp

${ENGINES_TEXT}
Counts are exact: one run is enough.`,
  check(raw: RawCell): MemoryOptions {
    checkHasSync(raw.steps, raw.syncPeriod);
    return cellOptions(raw);
  },
  load: async () => (await import('./benchmark.js')).MEMORY,
};
