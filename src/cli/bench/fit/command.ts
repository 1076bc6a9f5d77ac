// `slowlane bench fit`: its options as commander shows them in --help.

import { FIT_POLICIES } from '../../../measure/workloads/policies.js';
import { formatBytes } from '../../../checks/quantities.js';
import { UsageError } from '../../terminal/cli-error.js';
import { parsed, sizeInBytes, syncPeriod } from '../../terminal/options.js';
import type { BenchCommand } from '../benchmark.js';
import { checkHasSync, chosenPolicies, count, policiesText, policyOption } from '../options.js';
import { mostLayers } from './estimate.js';
import type { FitOptions } from './record.js';

/** What commander hands over; its parsers and choices make these types true. */
interface RawFit extends Pick<
  FitOptions,
  'width' | 'batch' | 'steps' | 'syncPeriod' | 'maxLayers'
> {
  readonly vram: number;
  readonly tryTimeout: number;
  readonly policy?: readonly string[];
  readonly adapter?: string;
}

export const FIT_COMMAND: BenchCommand = {
  description:
    'Find the largest stack of dense layers that trains within a hard budget, under each policy.',
  options: [
    parsed(
      '--vram <size>',
      'the budget on the device: 64MiB, 2GiB',
      sizeInBytes,
    ).makeOptionMandatory(),
    count('--width <n>', 'width of each layer, which has n × n weights', 2 ** 16).default(512),
    count('--batch <n>', 'examples a step').default(8),
    count('--steps <n>', 'steps of a try, at least one sync among them').default(6),
    syncPeriod(),
    policyOption(FIT_POLICIES),
    count('--max-layers <n>', 'no larger stack is tried').default(1000),
    count('--try-timeout <seconds>', 'for one try', 2 ** 20).default(1800),
  ],
  help: `
Policies:
${policiesText(FIT_POLICIES)}

Examples:
  slowlane bench fit --vram 64MiB
  slowlane bench fit --vram 2GiB --width 2048 --json fit.json
  slowlane bench fit --vram 64MiB --policy release+device:q8

It needs WebGPU: no other engine has a hard budget.
Each try trains in a new process. A size is rejected only if the budget refused a buffer.`,
  check(raw: RawFit): FitOptions {
    const { vram: vramBytes, tryTimeout, policy, adapter, ...sizes } = raw;
    const { width, steps, maxLayers } = sizes;
    checkHasSync(steps, sizes.syncPeriod);
    if (mostLayers({ vramBytes, width, maxLayers }) < 1) {
      throw new UsageError(
        `--vram ${formatBytes(vramBytes)} does not hold the weights of one layer of --width ${width} ` +
          `(${formatBytes(4 * width ** 2)}). Give more --vram or less --width.`,
      );
    }
    return {
      vramBytes,
      ...sizes,
      tryTimeoutMs: tryTimeout * 1000,
      policies: chosenPolicies(FIT_POLICIES, policy),
      adapter: adapter?.trim() ?? null,
    };
  },
  load: async () => (await import('./benchmark.js')).FIT,
};
