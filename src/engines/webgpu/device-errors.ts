// Throws the silent errors of a WebGPU device, and keeps wrong numbers from being used.
//
// WebGPU reports errors later and elsewhere. So everything that the device does lies in one **window**
// of error scopes after the other: a window is closed at each submission, and its scopes then say whether
// something in it failed. Data written in a window that failed, or after it and before that was known,
// is suspect: it is never read and never used again.
//
// The error itself is thrown once, at the next read or kernel; a suspect tensor throws whenever used.

import { GpuError, fromDevice } from './gpu-error.js';

const SCOPES = ['validation', 'out-of-memory', 'internal'] as const;

interface Window {
  readonly written: object[];
}

export class DeviceErrors {
  /** Never resolves; rejects once the device is lost. */
  readonly lost: Promise<never>;
  readonly #device: GPUDevice;
  /** Oldest first; the last one is open, the others wait for what their scopes say. */
  readonly #windows: Window[] = [];
  readonly #waits = new Set<Promise<void>>();
  readonly #suspects = new WeakMap<object, GpuError>();
  /** For whoever calls. */
  #loss: GpuError | null = null;
  /** What the device had begun is lost too. */
  #isGone = false;
  #unreported: GpuError | null = null;

  constructor(device: GPUDevice) {
    this.#device = device;
    this.lost = device.lost.then(({ reason, message }) => {
      this.#isGone = true;
      this.#loss ??= lossOf(reason, message);
      throw this.#loss;
    });
    this.lost.catch(() => undefined); // Heard by every call from now on, whether anyone waits or not.
    device.addEventListener('uncapturederror', ({ error }) => this.fail(fromDevice(error)));
    this.#open();
  }

  /** The device will be destroyed on purpose: nobody may use it from now on. What it has begun goes on until then. */
  lose(reason: 'stopped' | 'destroyed'): void {
    this.#loss ??= lossOf(reason, '');
  }

  /** `data` is being written by commands recorded now. */
  wrote(data: object): void {
    this.#windows.at(-1)?.written.push(data);
  }

  /** Stands for `data` as it is now: suspect if what has written it so far is, whatever writes it later. */
  asOfNow(data: object): object {
    const now = {};
    const error = this.#suspects.get(data);
    if (error) this.#suspects.set(now, error);
    for (const { written } of this.#windows) if (written.includes(data)) written.push(now);
    return now;
  }

  /** The error that everybody gets once the device is lost; null while it is there. */
  get loss(): GpuError | null {
    return this.#loss;
  }

  /** True once the device does nothing any more. One that will be destroyed still ends what it has begun. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** Throws if the device is lost. */
  throwIfLost(): void {
    if (this.#loss) throw this.#loss;
  }

  /** Throws if the device is lost, or an error was found and not thrown yet. */
  throwIfAny(): void {
    if (this.#loss) throw this.#loss;
    const error = this.#unreported;
    this.#unreported = null;
    if (error) throw error;
  }

  /** True if the values of `data` may be wrong. */
  isSuspect(data: object): boolean {
    return this.#suspects.has(data);
  }

  /** Throws if the values of `data` may be wrong. */
  throwIfSuspect(data: object): void {
    const cause = this.#suspects.get(data);
    if (cause === undefined) return;
    throw new GpuError(
      cause.kind,
      `This tensor was computed while the GPU failed and may be wrong; compute it again. ${cause.message}`,
      {},
      { cause },
    );
  }

  /** Closes the window and opens the next one. */
  rotate(): void {
    const window = this.#windows.at(-1);
    if (window === undefined) return;
    const wait = this.#judge(
      window,
      SCOPES.map(() => this.#device.popErrorScope()),
    ).finally(() => this.#waits.delete(wait));
    this.#waits.add(wait);
    this.#open();
  }

  /** Resolves once it is known that `data`, whose window is closed, was written well; rejects if not. */
  async judged(data: object): Promise<void> {
    await Promise.all(this.#waits);
    const error = (this.#isGone ? this.#loss : null) ?? this.#suspects.get(data);
    if (!error) return;
    if (this.#unreported === error) this.#unreported = null; // reported by this
    throw error;
  }

  /** Resolves when it is known whether anything failed until now; rejects if so, or if the device is lost. */
  async settled(): Promise<void> {
    this.rotate();
    await Promise.all(this.#waits);
    this.throwIfAny();
  }

  /** Runs `read`, which copies `data` from the device; rejects if `data` or the copy may be wrong. */
  async judgeRead<T>(data: object, read: () => Promise<T>): Promise<T> {
    // The commands that make the copy can fail too.
    const copy = {};
    this.wrote(copy);
    const values = await read();
    await this.settled();
    this.throwIfSuspect(copy);
    this.throwIfSuspect(data);
    return values;
  }

  /** `wait` for a mapping, but rejects with a GpuError, also if the device is lost meanwhile. */
  async orLost<T>(wait: Promise<T>): Promise<T> {
    try {
      return await Promise.race([wait, this.lost]);
    } catch (error) {
      throw await this.named(error);
    }
  }

  /** The GpuError for the rejection of a `mapAsync`, which does not say why. */
  async named(error: unknown): Promise<GpuError> {
    if (error instanceof GpuError) return error;
    try {
      // What refused it is announced after it: a loss, or an error in its scope.
      await this.settled();
    } catch (known) {
      if (known instanceof GpuError) return known;
    }
    const said = error instanceof Error ? error.message : String(error);
    return new GpuError(
      'internal',
      `The GPU driver failed to give a buffer back to the host. Compute what was in it again. The device said: ${said}`,
      {},
      { cause: error },
    );
  }

  #open(): void {
    for (const scope of SCOPES) this.#device.pushErrorScope(scope);
    this.#windows.push({ written: [] });
  }

  async #judge(window: Window, scopes: Promise<GPUError | null>[]): Promise<void> {
    // A scope whose device is lost rejects or stays empty; the loss itself is heard elsewhere.
    const errors = await Promise.all(scopes.map((scope) => scope.catch(() => null)));
    const error = errors.find((found) => found !== null);
    if (error) this.fail(fromDevice(error), window);
    this.#windows.splice(this.#windows.indexOf(window), 1);
  }

  /** An error was found: what was written in the window `since` and after it is suspect. Default: in all of them. */
  fail(error: GpuError, since?: Window): void {
    this.#unreported ??= error;
    const first = since === undefined ? 0 : this.#windows.indexOf(since);
    for (const { written } of this.#windows.slice(Math.max(0, first))) {
      for (const data of written) this.#suspects.set(data, error);
    }
  }
}

function lossOf(reason: string, message: string): GpuError {
  const why = {
    stopped: 'The WebGPU engine was stopped.',
    destroyed: 'The GPU device was destroyed.',
  };
  const isFull = message.includes('TOO_MANY_OBJECTS');
  const said =
    why[reason as keyof typeof why] ??
    (isFull
      ? `The GPU's driver allows no more allocations, and in Node each buffer is one without startWebGPU({ subAllocate: true }).`
      : `The GPU device was lost: ${message}.`);
  return new GpuError(
    'lost',
    `${said} The tensors on it are gone: start again with startWebGPU(), make the model again and give it its last saved ` +
      `state. A Lookahead whose slow weights are in host memory still has those of its last sync: ` +
      `await optimizer.slowWeights().`,
    { reason },
  );
}
