// Which call is allowed in which state of a Lookahead. Only one call runs at a time.
//
// A step is synchronous and asks `assertFree`. Everything that has to wait (a capture, a sync, a swap)
// is a *turn*: turns run one after the other in the order of their calls. The table of calls and states
// is in docs/decisions/0001-contract-of-the-core.md.

import { SlowlaneError } from '../checks/errors.js';
import { offloadPending } from '../engine/offloaded-state.js';
import type { SyncCycle } from './cycle.js';

type State =
  | { readonly at: 'idle' }
  /** Inside `withSlowWeights`; `depth` counts the calls that share the swap. */
  | { readonly at: 'swapped'; readonly depth: number; readonly putBack: () => Promise<void> }
  /** The device failed halfway. `rest` does what is left. */
  | { readonly at: 'failed'; readonly cause: unknown; readonly rest: () => Promise<void> }
  | { readonly at: 'disposed' };

/** What a turn does if moving weights broke off before it. The default is to refuse. */
type AfterFailure =
  /** First the rest of what broke off. */
  | 'go on'
  /** It is replaced by this turn, if this turn succeeds. */
  | 'replace'
  /** The same, with values that do not come from the device: it may be lost. */
  | 'start over';

export class CallGuard {
  #state: State = { at: 'idle' };
  /** The number of turns that wait or run. */
  #turns = 0;
  /** Inside a step: its loss may call anything. */
  #isStepping = false;
  #last: Promise<unknown> = Promise.resolve();
  #release: (() => void) | null = null;
  readonly #lost: () => SlowlaneError | null;

  /** `lost` gives the DEVICE_LOST of the device that the weights are on, or null. */
  constructor(lost: () => SlowlaneError | null) {
    this.#lost = lost;
  }

  /** Throws unless `call` may change weights now, synchronously. */
  assertFree(call: string): void {
    this.#assertNotStepping(call);
    if (this.#turns > 0) {
      throw new SlowlaneError(
        'SYNC_RUNNING',
        `${call}() was called while something that moves or reads weights is under way. Await what you called before it, such as step(), sync(), withSlowWeights(), slowWeights(), finish() or model.fit().`,
      );
    }
    this.#assertUsable(call);
  }

  /** Runs one step, whose loss must not take steps itself. */
  stepping<T>(call: string, step: () => T): T {
    this.#assertNotStepping(call);
    this.#isStepping = true;
    try {
      return step();
    } finally {
      this.#isStepping = false;
      this.#disposeIfOver();
    }
  }

  /** Waits for its turn, then runs `work`, unless `call` is not allowed by then. */
  turn<T>(call: string, work: () => Promise<T>, afterFailure?: AfterFailure): Promise<T> {
    return this.#queue(call, async () => {
      this.#assertUsable(call, afterFailure);
      const before = this.#state;
      if (before.at === 'failed' && afterFailure === 'go on') {
        this.#state = { at: 'idle' };
        await this.attempt(before.rest);
      }
      const result = await work();
      if (this.#state === before) this.#state = { at: 'idle' };
      return result;
    });
  }

  /** Waits for its turn, then runs `work`, which changes nothing: it is allowed until the end. */
  look<T>(call: string, work: () => Promise<T>): Promise<T> {
    return this.#queue(call, async () => {
      if (this.#state.at === 'disposed') throw disposed(call);
      return work();
    });
  }

  /**
   * Inside a turn: runs `work`, which may be run again to go on where it stopped. If it throws, the
   * state is failed until a turn goes on with it or replaces it.
   */
  async attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (cause) {
      this.#state = { at: 'failed', cause, rest: work };
      throw cause;
    }
  }

  /** Inside a step: runs `work`. If it throws, the state is failed until a turn goes on with `rest` or replaces it. */
  attemptAtOnce(work: () => void, rest: () => Promise<void>): void {
    try {
      work();
    } catch (cause) {
      this.#state = { at: 'failed', cause, rest };
      throw cause;
    }
  }

  /** Runs `fn` inside a swap: a new one, or the one that is on. `swap` resolves to what undoes it. */
  async swapped<T>(
    call: string,
    swap: () => Promise<() => Promise<void>>,
    fn: () => T | Promise<T>,
  ): Promise<T> {
    await this.#enterSwap(call, swap);
    let result: T;
    try {
      result = await fn();
    } catch (thrown) {
      try {
        await this.#leaveSwap();
      } catch (cause) {
        const message = 'The fast weights could not be put back either.';
        throw new AggregateError([thrown, cause], message, { cause });
      }
      throw thrown;
    }
    await this.#leaveSwap();
    return result;
  }

  /** For good. Runs `release` at once, or once the turns under way are over and fast weights are back. */
  dispose(release: () => void): void {
    if (this.#state.at === 'disposed' || this.#release) return;
    this.#release = release;
    if (this.#state.at === 'failed') {
      const { rest } = this.#state;
      void this.#queue(null, rest).catch(() => {}); // the device may be gone
    }
    this.#disposeIfOver();
  }

  /** Enters a swap, or joins the one that is on. `swap` resolves to what undoes it. */
  #enterSwap(call: string, swap: () => Promise<() => Promise<void>>): Promise<void> {
    return this.#queue(call, async () => {
      const { at } = this.#state;
      this.#assertThere();
      if (at !== 'swapped') {
        this.#assertUsable(call);
        this.#state = { at: 'swapped', depth: 1, putBack: await swap() };
      } else {
        this.#state = { ...this.#state, depth: this.#state.depth + 1 };
      }
    });
  }

  /** Leaves a swap; the last to leave undoes it. */
  #leaveSwap(): Promise<void> {
    return this.#queue(null, async () => {
      if (this.#state.at !== 'swapped') return;
      const { depth, putBack } = this.#state;
      this.#state = depth > 1 ? { ...this.#state, depth: depth - 1 } : { at: 'idle' };
      if (depth === 1) await this.attempt(putBack);
    });
  }

  /** `call` null: not a call of the user's, never refused. */
  #queue<T>(call: string | null, work: () => Promise<T>): Promise<T> {
    this.#turns++;
    const turn = this.#last.then(async () => {
      try {
        if (call !== null && this.#release) throw disposed(call);
        return await work();
      } finally {
        this.#turns--;
        this.#disposeIfOver();
      }
    });
    this.#last = turn.catch(() => {});
    return turn;
  }

  #disposeIfOver(): void {
    if (!this.#release || this.#turns > 0 || this.#isStepping) return;
    if (this.#state.at === 'swapped') return;
    const release = this.#release;
    this.#release = null;
    this.#state = { at: 'disposed' };
    release();
  }

  #assertNotStepping(call: string): void {
    if (!this.#isStepping) return;
    throw new SlowlaneError(
      'SYNC_RUNNING',
      `${call}() was called by the loss function of another step. Call it before or after that step.`,
    );
  }

  #assertUsable(call: string, afterFailure?: AfterFailure): void {
    const state = this.#state;
    if (state.at === 'disposed' || this.#release) throw disposed(call);
    if (afterFailure !== 'start over') this.#assertThere();
    if (state.at === 'swapped') {
      throw new SlowlaneError(
        'INSIDE_SLOW_WEIGHTS',
        `${call}() was called inside withSlowWeights(), where the model holds its slow weights. Call it before or after.`,
      );
    }
    if (state.at === 'failed' && !afterFailure) {
      throw new SlowlaneError(
        'SYNC_FAILED',
        `${call}() was called after moving weights between device and host broke off${because(state.cause)} Await sync() to do the rest of it, or discard() to go back to the slow weights.`,
        {},
        { cause: state.cause },
      );
    }
  }

  /** Whatever broke off: with the device everything on it is gone, and only that is true advice. */
  #assertThere(): void {
    const lost = this.#lost();
    if (lost) throw lost;
  }
}

/** Throws SYNC_DUE, or OFFLOAD_PENDING if moments are away (`due` without a sync that is due). */
export function assertMayStep(
  call: string,
  { cycle, due }: { readonly cycle: SyncCycle; readonly due: boolean },
): void {
  assertNoSyncDue(call, cycle);
  if (due) throw offloadPending(call, 'sync()');
}

/** Throws SYNC_DUE. */
export function assertNoSyncDue(call: string, { isDue, steps }: SyncCycle): void {
  if (!isDue) return;
  throw new SlowlaneError(
    'SYNC_DUE',
    `${call}() was called while a sync is due after step ${steps}. Pass callbacks: optimizer.callbacks() to model.fit(), or await optimizer.sync() after each step, or take steps with await optimizer.step().`,
    { steps },
  );
}

function because(cause: unknown): string {
  return cause instanceof Error ? `: ${cause.message}` : '.';
}

function disposed(call: string): SlowlaneError {
  return new SlowlaneError('DISPOSED', `${call}() was called on a Lookahead that was disposed.`);
}
