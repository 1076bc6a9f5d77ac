// Waits for the GPU. Every wait of slowlane goes through here.
//
// Firefox looks whether the GPU is done when something is submitted, else only every 100 ms (Mozilla's bug 1870699). So
// there an empty list of commands follows each wait. It can come too early, because the GPU may be busy for longer. So it
// is repeated while a wait lasts, less and less often. Other browsers and Dawn report at once, and nothing is submitted.

/** Between two empty submissions: this part of the time that has been waited, within these bounds. */
const PART = 1 / 8;
const LEAST_MS = 1;
const MOST_MS = 16;

const hurries = new WeakMap<GPUDevice, Hurry>();

/** Maps `buffer`. Resolves when the GPU is done with it. */
export function mapped(device: GPUDevice, buffer: GPUBuffer, mode: number): Promise<void> {
  return hurried(device, buffer.mapAsync(mode));
}

/** Resolves when the GPU has done all that was submitted. */
export function workDone(device: GPUDevice): Promise<void> {
  return hurried(device, device.queue.onSubmittedWorkDone());
}

function hurried(device: GPUDevice, wait: Promise<void>): Promise<void> {
  if (!isPolled()) return wait;
  let hurry = hurries.get(device);
  if (hurry === undefined) hurries.set(device, (hurry = new Hurry(device)));
  hurry.until(wait);
  return wait;
}

/** Firefox hides what adapter it has, but not that it is Firefox, in a worker neither. Servo says that it is one, too. */
function isPolled(): boolean {
  const { navigator } = globalThis as { navigator?: { userAgent?: string } };
  return navigator?.userAgent?.includes(' Firefox/') ?? false;
}

/** The empty submissions to one device. */
class Hurry {
  readonly #queue: GPUQueue;
  #isLost = false;
  #waits = 0;
  /** When the last wait began. */
  #beganMs = 0;
  #isAsked = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(device: GPUDevice) {
    this.#queue = device.queue;
    void device.lost.then(() => (this.#isLost = true));
  }

  until(wait: Promise<void>): void {
    this.#waits += 1;
    this.#beganMs = performance.now();
    const over = () => {
      this.#waits -= 1;
      if (this.#waits === 0) clearTimeout(this.#timer);
    };
    wait.then(over, over);
    if (this.#isAsked) return;
    // One for all waits that begin now.
    this.#isAsked = true;
    queueMicrotask(() => {
      this.#isAsked = false;
      this.#submit();
    });
  }

  #submit(): void {
    clearTimeout(this.#timer);
    if (this.#waits === 0 || this.#isLost) return;
    this.#queue.submit([]);
    const waitedMs = performance.now() - this.#beganMs;
    const delayMs = Math.min(MOST_MS, Math.max(LEAST_MS, waitedMs * PART));
    this.#timer = setTimeout(() => this.#submit(), delayMs);
  }
}
