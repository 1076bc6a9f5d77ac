// Which call may run when: turns one after the other, a step alone, and what is said where a call is refused.

import { SlowlaneError } from 'slowlane';
import { describe, expect, test, vi } from 'vitest';

import { assertMayStep, assertNoSyncDue, CallGuard } from '#src/lookahead/call-guard.js';
import { SyncCycle } from '#src/lookahead/cycle.js';

const make = () => new CallGuard(() => null);
const broken = new RangeError('no memory');
const nothing = async () => undefined;
const breaks = () => Promise.reject(broken);
const refused = (code: string) => expect.objectContaining({ code });

describe('an error names the call and says why', () => {
  test('a failed state keeps its cause, and every call but those that mend it is refused', async () => {
    const guard = make();
    await expect(guard.turn('sync', () => guard.attempt(breaks))).rejects.toBe(broken);
    const error = expect.objectContaining({
      code: 'SYNC_FAILED',
      cause: broken,
      message: expect.stringContaining('save() was called after moving weights') as string,
    });
    await expect(guard.turn('save', nothing)).rejects.toEqual(error);
    await expect(guard.turn('save', nothing)).rejects.toThrow('broke off: no memory Await');
    expect(() => guard.assertFree('minimize')).toThrow('minimize() was called after moving');
    await expect(guard.look('slowWeights', async () => 7)).resolves.toBe(7);
  });

  test('of something that is no error', async () => {
    const guard = make();
    await expect(
      guard.turn('sync', () => guard.attempt(() => Promise.reject('gone' as never))),
    ).rejects.toBe('gone');
    await expect(guard.turn('save', nothing)).rejects.toThrow('broke off. Await');
  });

  test('a due sync names its step', () => {
    const cycle = new SyncCycle(2);
    cycle.join();
    cycle.step();
    expect(() => assertNoSyncDue('minimize', cycle)).not.toThrow();
    cycle.step();
    const due = expect.objectContaining({ code: 'SYNC_DUE', details: { steps: 2 } });
    expect(() => assertNoSyncDue('minimize', cycle)).toThrow(due);
    expect(() => assertMayStep('minimize', { cycle, due: true })).toThrow(due);
    cycle.synced();
    expect(() => assertMayStep('minimize', { cycle, due: true })).toThrow(
      refused('OFFLOAD_PENDING'),
    );
    expect(() => assertMayStep('minimize', { cycle, due: false })).not.toThrow();
  });
});

describe('what broke off', () => {
  test('is done first by a turn that goes on, and fails again if that does', async () => {
    const guard = make();
    const done: string[] = [];
    let failures = 2;
    const rest = async () => {
      if (failures-- > 0) throw broken;
      done.push('rest');
    };
    await expect(guard.turn('sync', () => guard.attempt(rest))).rejects.toBe(broken);
    const goOn = () => guard.turn('sync', async () => void done.push('work'), 'go on');
    await expect(goOn()).rejects.toBe(broken);
    expect(() => guard.assertFree('minimize')).toThrow(refused('SYNC_FAILED'));
    await goOn();
    expect(done).toEqual(['rest', 'work']);
    expect(() => guard.assertFree('minimize')).not.toThrow();
  });

  test('stays, also if the turn in which it broke off takes it for no error', async () => {
    const guard = make();
    await guard.turn('discard', () => guard.attempt(breaks).catch(() => undefined));
    expect(() => guard.assertFree('minimize')).toThrow(refused('SYNC_FAILED'));
  });

  test('is replaced by a turn that succeeds, and stays if that one fails', async () => {
    const guard = make();
    await expect(guard.turn('sync', () => guard.attempt(breaks))).rejects.toBe(broken);
    const failing = () => Promise.reject(new Error('other'));
    await expect(guard.turn('discard', failing, 'replace')).rejects.toThrow('other');
    expect(() => guard.assertFree('minimize')).toThrow(refused('SYNC_FAILED'));
    await guard.turn('discard', nothing, 'replace');
    expect(() => guard.assertFree('minimize')).not.toThrow();
  });

  test('at once, in a step, has its rest too', async () => {
    const guard = make();
    const rest = vi.fn<() => Promise<void>>(async () => undefined);
    const failing = () => {
      throw broken;
    };
    expect(() => guard.attemptAtOnce(failing, rest)).toThrow(broken);
    await guard.turn('sync', nothing, 'go on');
    expect(rest).toHaveBeenCalledOnce();
    expect(() => guard.assertFree('minimize')).not.toThrow();
  });

  test('on a lost device only values from elsewhere replace', async () => {
    const lost = new SlowlaneError('DEVICE_LOST', 'gone');
    const guard = new CallGuard(() => lost);
    await expect(guard.turn('sync', nothing, 'go on')).rejects.toBe(lost);
    await expect(guard.swapped('withSlowWeights', async () => nothing, nothing)).rejects.toBe(lost);
    await expect(guard.turn('setWeights', async () => 1, 'start over')).resolves.toBe(1);
  });
});

describe('a swap', () => {
  test('is shared, undone by the last to leave, and refuses the others meanwhile', async () => {
    const guard = make();
    const log: string[] = [];
    const swap = async () => {
      log.push('shown');
      return async () => void log.push('back');
    };
    const inside = () => guard.swapped('withSlowWeights', swap, async () => void log.push('inner'));
    await guard.swapped('withSlowWeights', swap, async () => {
      await inside();
      expect(() => guard.assertFree('minimize')).toThrow(refused('INSIDE_SLOW_WEIGHTS'));
      await expect(guard.turn('sync', nothing)).rejects.toThrow(refused('INSIDE_SLOW_WEIGHTS'));
    });
    expect(log).toEqual(['shown', 'inner', 'back']);
    expect(() => guard.assertFree('minimize')).not.toThrow();
  });

  test('whose function throws is undone; if that fails too, both are said', async () => {
    const log: string[] = [];
    const fails = async () => {
      throw new Error('thrown');
    };
    const undone = make().swapped('w', async () => async () => void log.push('back'), fails);
    await expect(undone).rejects.toThrow('thrown');
    expect(log).toEqual(['back']);
    const guard = make();
    const error: unknown = await guard
      .swapped('w', async () => breaks, fails)
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(AggregateError);
    expect(error).toMatchObject({
      cause: broken,
      errors: [{ message: 'thrown' }, broken],
      message: 'The fast weights could not be put back either.',
    });
    expect(() => guard.assertFree('minimize')).toThrow(refused('SYNC_FAILED'));
  });

  test('after a failed one is refused', async () => {
    const guard = make();
    await expect(guard.turn('sync', () => guard.attempt(breaks))).rejects.toBe(broken);
    await expect(guard.swapped('w', async () => nothing, nothing)).rejects.toThrow(
      refused('SYNC_FAILED'),
    );
  });
});

describe('turns', () => {
  test('run in the order of their calls, also after one that failed, and no step runs beside them', async () => {
    const guard = make();
    const log: number[] = [];
    const first = guard.turn('sync', async () => {
      await Promise.resolve();
      log.push(1);
      throw broken;
    });
    const second = guard.turn('sync', async () => void log.push(2));
    expect(() => guard.assertFree('minimize')).toThrow(refused('SYNC_RUNNING'));
    await expect(first).rejects.toBe(broken);
    await second;
    expect(log).toEqual([1, 2]);
    expect(() => guard.assertFree('minimize')).not.toThrow();
  });

  test('a loss takes no step', () => {
    const guard = make();
    const running = refused('SYNC_RUNNING');
    guard.stepping('minimize', () => {
      expect(() => guard.assertFree('minimize')).toThrow(running);
      expect(() => guard.stepping('minimize', () => 1)).toThrow(running);
    });
    expect(guard.stepping('minimize', () => 1)).toBe(1);
  });
});

describe('dispose()', () => {
  test('releases once, at once if nothing runs; then every call is refused', async () => {
    const guard = make();
    const release = vi.fn<() => void>();
    guard.dispose(release);
    guard.dispose(release);
    expect(release).toHaveBeenCalledOnce();
    const disposed = refused('DISPOSED');
    expect(() => guard.assertFree('minimize')).toThrow(disposed);
    await expect(guard.turn('sync', nothing)).rejects.toThrow(disposed);
    await expect(guard.look('slowWeights', nothing)).rejects.toThrow(disposed);
    await expect(guard.swapped('w', async () => nothing, nothing)).rejects.toThrow(disposed);
  });

  test('waits for the step and the turns under way, and refuses those after', async () => {
    const guard = make();
    const release = vi.fn<() => void>();
    guard.stepping('minimize', () => {
      guard.dispose(release);
      expect(release).not.toHaveBeenCalled();
    });
    expect(release).toHaveBeenCalledOnce();
    const other = make();
    const again = vi.fn<() => void>();
    const turn = other.turn('sync', async () => {
      other.dispose(again);
      expect(again).not.toHaveBeenCalled();
    });
    const late = other.turn('sync', nothing);
    const look = other.look('slowWeights', nothing);
    await turn;
    await expect(late).rejects.toThrow(refused('DISPOSED'));
    await expect(look).rejects.toThrow(refused('DISPOSED'));
    expect(again).toHaveBeenCalledOnce();
  });

  test('inside a swap puts fast weights back first; after a failure does the rest, if it can', async () => {
    const log: string[] = [];
    const guard = make();
    await guard.swapped(
      'w',
      async () => async () => void log.push('back'),
      () => guard.dispose(() => log.push('released')),
    );
    expect(log).toEqual(['back', 'released']);
    const other = make();
    const rest = vi.fn<() => Promise<void>>(breaks);
    await expect(other.turn('sync', () => other.attempt(rest))).rejects.toBe(broken);
    const released = new Promise<void>((resolve) => other.dispose(resolve));
    await released;
    expect(rest).toHaveBeenCalledTimes(2);
  });
});
