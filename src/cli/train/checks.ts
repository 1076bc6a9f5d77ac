// Options of `slowlane train` that are right each for itself and wrong together.

import type { Command } from 'commander';
import type { GradientLifetime, MomentPolicy } from '../../optimizers/step-options.js';
import type { SlowFormat } from '../../slow/slow-format.js';
import type { ModelName } from '../../models/names.js';
import { checkCombination, type DataName, type EngineName } from './choices.js';
import { UsageError } from '../terminal/cli-error.js';
import { INNER_WITH_CURVATURE, type InnerName, type InnerState } from './options.js';

/** What commander hands over; its parsers and choices make these types true. */
export interface RawTrainOptions {
  readonly data: DataName;
  readonly dataDir?: string;
  readonly model?: ModelName;
  readonly inner: InnerName;
  readonly learningRate?: number;
  readonly gradients: GradientLifetime;
  readonly moments: MomentPolicy;
  readonly accumulate: number;
  readonly lookahead: boolean;
  readonly syncPeriod: number;
  readonly slowStepSize: number | 'adaptive';
  readonly innerState: InnerState;
  readonly slow: SlowFormat;
  readonly workers?: number;
  readonly engine: EngineName;
  readonly vram?: number;
  readonly epochs?: number;
  readonly steps?: number;
  readonly batchSize?: number;
  readonly seed: number;
  readonly validateEvery?: number;
  readonly timeline?: boolean;
  readonly out: string;
  readonly tensorboard?: string;
  readonly live?: number | true;
}

const LOOKAHEAD_ONLY = ['syncPeriod', 'slowStepSize', 'innerState', 'slow', 'workers'] as const;

/** Throws a UsageError that says what to leave out. */
export function checkTogether(raw: RawTrainOptions, model: ModelName, command: Command): void {
  checkCombination(raw.data, model, raw.engine);
  if (raw.vram !== undefined) checkBudgetKeeper(raw.engine);
  if (raw.lookahead && raw.moments !== 'device:f32') checkMomentsAreLeftAlone(raw);
  if (!raw.lookahead) refuseLookaheadOptions(command);
  else if (raw.slowStepSize === 'adaptive') checkAdaptive(raw.inner);
}

function checkBudgetKeeper(engine: EngineName): void {
  if (engine === 'webgpu') return;
  throw new UsageError(
    `--vram is kept by --engine webgpu alone, got --engine ${engine}. Add --engine webgpu, or leave out --vram.`,
  );
}

function checkMomentsAreLeftAlone({ innerState, slowStepSize, moments }: RawTrainOptions): void {
  const reader =
    innerState === 'interpolate'
      ? '--inner-state interpolate'
      : slowStepSize === 'adaptive'
        ? '--slow-step-size adaptive'
        : undefined;
  if (reader === undefined) return;
  throw new UsageError(
    `${reader} needs moments in float32 on the device, got --moments ${moments}. Leave out one or the other.`,
  );
}

function checkAdaptive(inner: InnerName): void {
  if (INNER_WITH_CURVATURE.includes(inner)) return;
  throw new UsageError(
    `--slow-step-size adaptive needs an inner optimizer with a second moment, which --inner ${inner} has not. ` +
      `Use ${INNER_WITH_CURVATURE.join(', ')}, or a number from 0 to 1.`,
  );
}

function refuseLookaheadOptions(command: Command): void {
  const given = LOOKAHEAD_ONLY.filter((name) => command.getOptionValueSource(name) === 'cli');
  if (given.length === 0) return;
  const flags = command.options
    .filter((option) => (given as readonly string[]).includes(option.attributeName()))
    .map((option) => option.long);
  throw new UsageError(
    `--no-lookahead leaves nothing for ${flags.join(', ')} to act on. Leave out one or the other.`,
  );
}
