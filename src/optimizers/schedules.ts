/**
 * Schedules: a number as a function of the iteration, counted from 0. A schedule is a plain object, a
 * `kind` and its numbers, that survives JSON; `at` is rebuilt by `scheduleFrom`.
 */
import { checkChoice, checkKeys, checkNumber, shown } from '../checks/check.js';

interface Evaluated {
  /** The value at `iteration`, which counts steps (or syncs) from 0. */
  readonly at: (iteration: number) => number;
}

/** A value that never changes. */
export interface ConstantSchedule extends Evaluated {
  /** Names the kind, also in saved states. */
  readonly kind: 'constant';
  /** The value at each iteration. */
  readonly value: number;
}

/** Half a cosine from `initial` down to `final`. */
export interface CosineSchedule extends Evaluated {
  /** Names the kind, also in saved states. */
  readonly kind: 'cosine';
  /** The value at iteration 0. */
  readonly initial: number;
  /** Iterations until `final` is reached. */
  readonly decaySteps: number;
  /** The value from iteration `decaySteps` on. */
  readonly final: number;
}

/** A value that is multiplied by `factor` after each `every` iterations. */
export interface StepSchedule extends Evaluated {
  /** Names the kind, also in saved states. */
  readonly kind: 'step';
  /** The value at iteration 0. */
  readonly initial: number;
  /** Iterations between two changes. */
  readonly every: number;
  /** The factor of each change. */
  readonly factor: number;
}

/** A line from `from` to the first value of `then`, followed by `then`. */
export interface WarmupSchedule extends Evaluated {
  /** Names the kind, also in saved states. */
  readonly kind: 'warmup';
  /** Iterations until `then` begins. */
  readonly steps: number;
  /** The value at iteration 0. */
  readonly from: number;
  /** The schedule from iteration `steps` on; it counts iterations from there. */
  readonly then: Schedule;
}

/** A value as a function of the iteration: plain data, which survives JSON, and `at`. */
export type Schedule = ConstantSchedule | CosineSchedule | StepSchedule | WarmupSchedule;

/** A schedule without `at`: what JSON keeps of it. */
export interface ScheduleConfig {
  readonly [name: string]: string | number | ScheduleConfig;
}

const KINDS = ['constant', 'cosine', 'step', 'warmup'] as const;
const POSITIVE_WHOLE = { min: 1, whole: true } as const;

/** Makes schedules for `learningRate`, which counts steps, and for `slowStepSize`, which counts syncs. */
export const schedules = {
  /**
   * `value` at each iteration.
   *
   * @throws TypeError or RangeError on a wrong option.
   * @example
   * ```ts
   * import { schedules } from 'slowlane';
   *
   * const rate = schedules.constant(0.1);
   * console.log(rate.at(0), rate.at(9)); // 0.1 0.1
   * ```
   */
  constant(value: number): ConstantSchedule {
    checkNumber('value', value);
    return Object.freeze({ kind: 'constant', value, at: () => value });
  },

  /**
   * Half a cosine from `initial` down to `final` (default 0) within `decaySteps` iterations, then `final`.
   *
   * @throws TypeError or RangeError on a wrong option.
   * @example
   * ```ts
   * import { schedules } from 'slowlane';
   *
   * const rate = schedules.cosine({ initial: 0.1, decaySteps: 100 });
   * console.log(rate.at(0), rate.at(50), rate.at(100)); // 0.1 0.05 0
   * ```
   */
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

  /**
   * `initial`, multiplied by `factor` after each `every` iterations.
   *
   * @throws TypeError or RangeError on a wrong option.
   * @example
   * ```ts
   * import { schedules } from 'slowlane';
   *
   * const rate = schedules.step({ initial: 0.1, every: 30, factor: 0.5 });
   * console.log(rate.at(29), rate.at(30)); // 0.1 0.05
   * ```
   */
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
   * A line from `from` (default 0) at iteration 0 to the first value of `then`, which begins at iteration `steps`.
   *
   * @throws TypeError or RangeError on a wrong option.
   * @example
   * ```ts
   * import { schedules } from 'slowlane';
   *
   * const rate = schedules.warmup({ steps: 10, then: 0.1 });
   * console.log(rate.at(0), rate.at(5), rate.at(10)); // 0 0.05 0.1
   * ```
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
      typeof options.then === 'number'
        ? schedules.constant(checkNumber('then', options.then))
        : scheduleFrom(options.then, 'then');
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
