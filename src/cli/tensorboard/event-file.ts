// One file of events, which TensorBoard reads while it grows. Always a new file.

import { type FileHandle, open, readdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

import { kindOf, reasonOf } from '../terminal/cli-error.js';
import { type Scalars, scalarsEvent, versionEvent } from './event.js';

const FLUSH_EVERY_MS = 1000;
const PREFIX = 'events.out.tfevents.';

export class EventFile {
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #onFailure: (reason: string) => void;
  readonly #timer: NodeJS.Timeout;
  #waiting: Buffer[] = [];
  /** All writes so far, in order. */
  #written: Promise<void> = Promise.resolve();
  #failed = false;

  private constructor(path: string, handle: FileHandle, onFailure: (reason: string) => void) {
    this.path = path;
    this.#handle = handle;
    this.#onFailure = onFailure;
    this.#timer = setInterval(() => void this.#flush(), FLUSH_EVERY_MS);
    this.#timer.unref();
  }

  /** Makes the file in `folder`, which exists. `onFailure` is called once when a write fails. */
  static async create(folder: string, onFailure: (reason: string) => void): Promise<EventFile> {
    const now = Date.now() / 1000;
    const { path, handle } = await openNew(folder, Math.floor(now));
    try {
      await handle.appendFile(versionEvent(now));
    } catch (error) {
      await handle.close().catch(() => {}); // the first error says more
      throw error;
    }
    return new EventFile(path, handle, onFailure);
  }

  /** The event is in the file a second later. */
  add(step: number, scalars: Scalars): void {
    this.#waiting.push(scalarsEvent(Date.now() / 1000, step, scalars));
  }

  /** Never rejects. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#flush();
    await this.#handle.close().catch((error: unknown) => this.#fail(error));
  }

  #flush(): Promise<void> {
    const chunk = Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#written = this.#written.then(async () => {
      if (chunk.length === 0 || this.#failed) return;
      try {
        await this.#handle.appendFile(chunk);
      } catch (error) {
        this.#fail(error);
      }
    });
    return this.#written;
  }

  #fail(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true; // half a record may be in the file, and readers stop there
    this.#onFailure(reasonOf(error));
  }
}

/** The files of other runs there. */
export async function eventFilesIn(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.startsWith(PREFIX));
}

/** Counts up, because two runs may begin in the same second. */
async function openNew(
  folder: string,
  seconds: number,
): Promise<{ path: string; handle: FileHandle }> {
  const host = hostname().replaceAll(/[^\w.-]/g, '_') || 'host';
  for (let i = 0; ; i++) {
    const path = join(folder, `${PREFIX}${seconds}.${host}${i === 0 ? '' : `.${i}`}`);
    try {
      return { path, handle: await open(path, 'wx') };
    } catch (error) {
      if (kindOf(error) !== 'EEXIST') throw error;
    }
  }
}
