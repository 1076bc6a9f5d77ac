// Sends the open pages of a run what is new, once a second. Server-sent events, because they tell a page at once that
// the run ended or that the connection broke.

import type { ServerResponse } from 'node:http';

import { changesOf, type LiveMessage } from '../../report/changes.js';
import type { ReportState } from '../../report/report.js';

const EVERY_MS = 1000;

export class LiveStreams {
  readonly #makeState: () => ReportState;
  readonly #fail: (error: unknown) => void;
  /** The pages that have `#state`. The others get all of it next. */
  readonly #upToDate = new Set<ServerResponse>();
  readonly #open = new Set<ServerResponse>();
  /** Less than a second old; null while no page is open. */
  #state: ReportState | null = null;
  #timer: NodeJS.Timeout | undefined;

  /** `makeState` is called at most once a second; `fail` gets what it throws in the timer. */
  constructor(makeState: () => ReportState, fail: (error: unknown) => void) {
    this.#makeState = makeState;
    this.#fail = fail;
  }

  /** At most a second old. */
  get state(): ReportState {
    if (this.#state !== null) return this.#state;
    const state = this.#makeState();
    this.#state = state;
    this.#timer = setInterval(() => this.#tick(), EVERY_MS);
    this.#timer.unref(); // the run alone keeps the process
    return state;
  }

  /** Sends `state`, which is current, to `response`, and from then on what is new. */
  add(response: ServerResponse, state: ReportState): void {
    this.#open.add(response);
    response.once('close', () => {
      this.#open.delete(response);
      this.#upToDate.delete(response);
    });
    this.#send(response, { whole: state, ended: false });
  }

  /** Sends the last state and ends every stream. Each promise resolves when one stream is flushed or broken. */
  end(state: ReportState): Promise<void>[] {
    const changes = this.#state === null ? undefined : changesOf(this.#state, state);
    const ended = [...this.#open].map(async (response) => {
      const isShort = this.#upToDate.has(response) && changes !== undefined;
      this.#send(response, { ...(isShort ? { changes } : { whole: state }), ended: true });
      await new Promise<void>((resolve) => {
        response.once('close', resolve);
        response.end(resolve);
      });
    });
    this.stop();
    return ended;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#state = null;
  }

  #tick(): void {
    if (this.#open.size === 0) {
      this.stop();
      return;
    }
    try {
      this.#advance();
    } catch (error) {
      this.stop();
      this.#fail(error);
    }
  }

  #advance(): void {
    const before = this.#state;
    const state = this.#makeState();
    this.#state = state;
    const changes = changesOf(before, state);
    for (const response of this.#open) {
      if (response.writableNeedDrain) this.#upToDate.delete(response); // it does not read, so nothing may pile up
      else if (!this.#upToDate.has(response)) this.#send(response, { whole: state, ended: false });
      else if (changes !== undefined) this.#send(response, { changes, ended: false });
    }
  }

  #send(response: ServerResponse, message: LiveMessage<ReportState>): void {
    response.write(`data: ${JSON.stringify(message)}\n\n`);
    this.#upToDate.add(response);
  }
}
