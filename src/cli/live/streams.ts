// The open pages of a run: each second, if there are any, what is new goes to all of them. As server-sent
// events: the end of the run reaches a page at once, and a page knows when its stream breaks.

import type { ServerResponse } from 'node:http';

import { changesOf, type LiveMessage } from '../../report/changes.js';
import type { ReportState } from '../../report/report.js';

const EVERY_MS = 1000;

export class LiveStreams {
  readonly #makeState: () => ReportState;
  readonly #fail: (error: unknown) => void;
  /** Those that know `#state`; the others get all of it next. */
  readonly #upToDate = new Set<ServerResponse>();
  readonly #open = new Set<ServerResponse>();
  /** At most so old as the timer lets it become; null while nobody asks. */
  #state: ReportState | null = null;
  #timer: NodeJS.Timeout | undefined;

  /** `makeState` is asked at most once a second; `fail` hears what it throws while nobody waits for it. */
  constructor(makeState: () => ReportState, fail: (error: unknown) => void) {
    this.#makeState = makeState;
    this.#fail = fail;
  }

  /** Of now, or of less than a second ago. */
  get state(): ReportState {
    if (this.#state !== null) return this.#state;
    const state = this.#makeState();
    this.#state = state;
    this.#timer = setInterval(() => this.#tick(), EVERY_MS);
    this.#timer.unref(); // the run alone keeps the process
    return state;
  }

  /** Sends `state`, the one of now, to `response`, and from then on what is new. */
  add(response: ServerResponse, state: ReportState): void {
    this.#open.add(response);
    response.once('close', () => {
      this.#open.delete(response);
      this.#upToDate.delete(response);
    });
    this.#send(response, { whole: state, ended: false });
  }

  /** Sends the last state, and ends every stream: each promise is kept when one of them is on its way, or broken. */
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
      if (response.writableNeedDrain) this.#upToDate.delete(response); // nobody reads: let nothing pile up
      else if (!this.#upToDate.has(response)) this.#send(response, { whole: state, ended: false });
      else if (changes !== undefined) this.#send(response, { changes, ended: false });
    }
  }

  #send(response: ServerResponse, message: LiveMessage<ReportState>): void {
    response.write(`data: ${JSON.stringify(message)}\n\n`);
    this.#upToDate.add(response);
  }
}
