/**
 * Schedules: a number as a function of the iteration, counted from 0. A schedule is a plain object, a
 * `kind` and its numbers, that survives JSON; `at` is rebuilt by `scheduleFrom`.
 */
import { checkChoice, checkKeys, checkNumber, shown } from '../checks/check.js';

interface Evaluated {
  /** The value at `iteration` (0, 1, 2 …). */
  readonly at: (iteration: number) => number;
}

export interface ConstantSchedule extends Evaluated {
  readonly kind: 'constant';
  readonly value: number;
}

export interface CosineSchedule extends Evaluated {
  readonly kind: 'cosine';
  readonly initial: number;
  readonly decaySteps: number;
  readonly final: number;
}

export interface StepSchedule extends Evaluated {
  readonly kind: 'step';
  readonly initial: number;
  readonly every: number;
  readonly factor: number;
}

export interface WarmupSchedule extends Evaluated {
  readonly kind: 'warmup';
  readonly steps: number;
  readonly from: number;
  readonly then: Schedule;
}

export type Schedule = ConstantSchedule | CosineSchedule | StepSchedule | WarmupSchedule;

/** A schedule without `at`: what JSON keeps of it. */
export interface ScheduleConfig {
  readonly [name: string]: string | number | ScheduleConfig;
}

const KINDS = ['constant', 'cosine', 'step', 'warmup'] as const;
const POSITIVE_WHOLE = { min: 1, whole: true } as const;

export const schedules = {
  constant(value: number): ConstantSchedule {
    checkNumber('value', value);
    return Object.freeze({ kind: 'constant', value, at: () => value });
  },

  /** Half a cosine from `initial` down to `final` (0) in `decaySteps`, and `final` ever after. */
  cosine(options: { initial: number; decaySteps: number; final?: number }): CosineSchedule {
    const {
      initial,
      decaySteps,
      final = 0,
    } = checkKeys('schedules.cosine', options, [
      'initial',
      'decaySteps',
      'final',
    ]) as typeof options;
    checkNumber('initial', initial);
    checkNumber('decaySteps', decaySteps, POSITIVE_WHOLE);
    checkNumber('final', final);
    const at = (iteration: number): number => {
      const done = Math.min(iteration / decaySteps, 1);
      return final + ((initial - final) * (1 + Math.cos(Math.PI * done))) / 2;
    };
    return Object.freeze({ kind: 'cosine', initial, decaySteps, final, at });
  },

  /** `initial`, times `factor` after every `every` iterations. */
  step(options: { initial: number; every: number; factor: number }): StepSchedule {
    const { initial, every, factor } = checkKeys('schedules.step', options, [
      'initial',
      'every',
      'factor',
    ]) as typeof options;
    checkNumber('initial', initial);
    checkNumber('every', every, POSITIVE_WHOLE);
    checkNumber('factor', factor, { min: 0 });
    const at = (iteration: number): number => initial * factor ** Math.floor(iteration / every);
    return Object.freeze({ kind: 'step', initial, every, factor, at });
  },

  /**
   * A line from `from` (0) at iteration 0 to the first value of `then`, which begins at iteration
   * `steps`.
   */
  warmup(options: { steps: number; then: number | Schedule; from?: number }): WarmupSchedule {
    const { steps, from = 0 } = checkKeys('schedules.warmup', options, [
      'steps',
      'then',
      'from',
    ]) as typeof options;
    checkNumber('steps', steps, POSITIVE_WHOLE);
    checkNumber('from', from);
    const then =
      typeof options?.then === 'number'
        ? schedules.constant(checkNumber('then', options.then))
        : scheduleFrom(options?.then, 'then');
    const target = then.at(0);
    const at = (iteration: number): number =>
      iteration < steps ? from + ((target - from) * iteration) / steps : then.at(iteration - steps);
    // oxlint-disable-next-line unicorn/no-thenable -- a schedule is not callable, so await ignores it
    return Object.freeze({ kind: 'warmup', steps, from, then, at });
  },
};

/** Rebuilds a schedule from its plain form; a schedule comes back as an equal one. */
export function scheduleFrom(config: unknown, name = 'schedule'): Schedule {
  if (typeof config !== 'object' || config === null || !('kind' in config)) {
    throw new TypeError(
      `${name} must be a number or a schedule (schedules.${KINDS.join(', schedules.')}), got ${shown(config)}.`,
    );
  }
  const { kind, at: _, ...numbers } = config as { kind: unknown; at?: unknown };
  switch (checkChoice(`${name}.kind`, kind, KINDS)) {
    case 'constant':
      checkKeys('schedules.constant', numbers, ['value']);
      return schedules.constant((numbers as { value: number }).value);
    case 'cosine':
      return schedules.cosine(numbers as Parameters<typeof schedules.cosine>[0]);
    case 'step':
      return schedules.step(numbers as Parameters<typeof schedules.step>[0]);
    case 'warmup':
      return schedules.warmup(numbers as Parameters<typeof schedules.warmup>[0]);
  }
}

/** The plain form of a schedule, for JSON. */
export function scheduleConfig(schedule: Schedule): ScheduleConfig {
  if (schedule.kind === 'warmup') {
    const { kind, steps, from, then } = schedule;
    // oxlint-disable-next-line unicorn/no-thenable -- not callable either
    return { kind, steps, from, then: scheduleConfig(then) };
  }
  const { at: _, ...numbers } = schedule;
  return numbers;
}
