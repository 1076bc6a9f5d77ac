/**
 * Records the threads that are started from here on, so that tests can count them, kill them and
 * see them gone.
 */
import threads from 'node:worker_threads';

export interface ThreadRecord {
  readonly started: readonly threads.Worker[];
  readonly alive: ReadonlySet<threads.Worker>;
  stopRecording(): void;
}

export function recordThreads(): ThreadRecord {
  const original = threads.Worker;
  const started: threads.Worker[] = [];
  const alive = new Set<threads.Worker>();
  // piscina is CommonJS and looks the class up at each start, in this same object.
  threads.Worker = class extends original {
    constructor(...args: ConstructorParameters<typeof original>) {
      super(...args);
      started.push(this);
      alive.add(this);
      this.once('exit', () => alive.delete(this));
    }
  };
  return {
    started,
    alive,
    stopRecording() {
      threads.Worker = original;
    },
  };
}
