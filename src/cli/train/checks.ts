// Options of `slowlane train` that are right one by one and wrong together.

import type { Command } from 'commander';

import { MODEL_NAMES, type ModelName } from '../../models/names.js';
import type { InnerName } from '../../optimizers/rules/names.js';
import type { MomentPolicy } from '../../optimizers/step-options.js';
import { UsageError } from '../terminal/cli-error.js';
import { lookaheadOverrides } from '../terminal/override.js';
import {
  type DataName,
  type EngineName,
  INNER_WITH_CURVATURE,
  KIND_OF,
  type RawTrainOptions,
  TRAINS_ON,
} from './options.js';

/** Options that mean nothing with --no-lookahead. */
export const LOOKAHEAD_ONLY: readonly string[] = [
  'syncPeriod',
  'slowStepSize',
  'innerState',
  'slow',
  'workers',
];

/** Throws a UsageError that says what to leave out. */
export function checkTogether(raw: RawTrainOptions, model: ModelName, command: Command): void {
  checkCombination(raw.data, model);
  if (raw.vram !== undefined) checkBudgetKeeper(raw.engine);
  const moments = [raw.moments, ...raw.override.map((one) => one.moments ?? 'device:f32')];
  if (raw.inner === 'sgd' && raw.override.some((one) => one.moments !== undefined)) {
    throw new UsageError('--override sets moments, and --inner sgd has none. Leave moments out.');
  }
  const changed = moments.find((policy) => policy !== 'device:f32');
  if (raw.lookahead && changed !== undefined) checkMomentsAreLeftAlone(raw, changed);
  if (!raw.lookahead) refuseLookaheadOptions(raw, command);
  else if (raw.slowStepSize === 'adaptive') checkAdaptive(raw.inner);
}

function checkCombination(data: DataName, model: ModelName): void {
  const kind = KIND_OF[data];
  if (!TRAINS_ON[model].includes(kind)) {
    const fitting = MODEL_NAMES.filter((other) => TRAINS_ON[other].includes(kind));
    throw new UsageError(
      `--model ${model} trains on ${TRAINS_ON[model].join(' and ')}, but --data ${data} is ${kind}. ` +
        `Models for it: ${fitting.join(', ')}.`,
    );
  }
}

function checkBudgetKeeper(engine: EngineName): void {
  if (engine === 'webgpu') return;
  throw new UsageError(
    `Only --engine webgpu keeps to --vram, got --engine ${engine}. Add --engine webgpu, or leave out --vram.`,
  );
}

function checkMomentsAreLeftAlone(
  { innerState, slowStepSize }: RawTrainOptions,
  moments: MomentPolicy,
): void {
  const reader =
    innerState === 'interpolate'
      ? '--inner-state interpolate'
      : slowStepSize === 'adaptive'
        ? '--slow-step-size adaptive'
        : undefined;
  if (reader === undefined) return;
  throw new UsageError(
    `${reader} needs moments in float32 on the device, got moments ${moments}. Leave out one or the other.`,
  );
}

function checkAdaptive(inner: InnerName): void {
  if (INNER_WITH_CURVATURE.includes(inner)) return;
  throw new UsageError(
    `--slow-step-size adaptive needs an inner optimizer with a second moment, and --inner ${inner} has none. ` +
      `Use ${INNER_WITH_CURVATURE.join(', ')}, or a number from 0 to 1.`,
  );
}

function refuseLookaheadOptions({ override }: RawTrainOptions, command: Command): void {
  const given = LOOKAHEAD_ONLY.filter((name) => command.getOptionValueSource(name) === 'cli');
  const flags = command.options
    .filter((option) => given.includes(option.attributeName()))
    .map((option) => option.long);
  if (lookaheadOverrides(override).length > 0) flags.push('slow weights in --override');
  if (flags.length === 0) return;
  throw new UsageError(
    `--no-lookahead leaves nothing for ${flags.join(', ')} to act on. Leave out one or the other.`,
  );
}
