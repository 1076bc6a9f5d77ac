/** The learning rate: a number, a schedule, or the caller's own function of the iteration. */
import { SlowlaneError } from '../checks/errors.js';
import { checkNumber, shown } from '../checks/check.js';
import { type Schedule, type ScheduleConfig, scheduleConfig, scheduleFrom } from './schedules.js';

/** γ. A function gets the iteration, counted from 0; it cannot be saved with the model. */
export type LearningRate = number | Schedule | ((iteration: number) => number);

/** Returns `value` as a learning rate; a schedule's plain form becomes a schedule again. */
export function checkLearningRate(value: unknown): LearningRate {
  if (typeof value === 'function') return value as (iteration: number) => number;
  if (typeof value === 'object' && value !== null && 'kind' in value) {
    return scheduleFrom(value, 'learningRate');
  }
  return checkNumber('learningRate', value, { min: 0, or: 'or a schedule' });
}

/** The rate at `iteration`, counted from 0. @throws RangeError if a schedule gives no finite number ≥ 0. */
export function rateAt(learningRate: LearningRate, iteration: number): number {
  if (typeof learningRate === 'number') return learningRate;
  const rate: unknown =
    typeof learningRate === 'function' ? learningRate(iteration) : learningRate.at(iteration);
  if (typeof rate === 'number' && Number.isFinite(rate) && rate >= 0) return rate;
  throw new RangeError(
    `The learningRate schedule must give a finite number ≥ 0, gave ${shown(rate)} at iteration ${iteration}.`,
  );
}

/** The learning rate as JSON. @throws SlowlaneError NOT_SERIALIZABLE for a function. */
export function rateConfig(learningRate: LearningRate): number | ScheduleConfig {
  if (typeof learningRate === 'number') return learningRate;
  if (typeof learningRate !== 'function') return scheduleConfig(learningRate);
  throw new SlowlaneError(
    'NOT_SERIALIZABLE',
    'learningRate is a function, which cannot be saved. Use a number or one of schedules.constant, ' +
      'schedules.cosine, schedules.step, schedules.warmup, or set a number before saving.',
  );
}
