/** Who runs blends: the contract, and the one that runs them on the caller's own thread. */
import { blendAtOnce, type BlendJob, blendChunk } from '../../workers/blend.js';

export interface Blender {
  /**
   * Blends one chunk; resolves when slow and staging hold the result. May be called for several
   * chunks at once. Call `beginChunk(job)` before, once. Until it settles the job's areas belong to
   * the blender; if it rejects, the same job may be given again and goes on where it stopped.
   */
  blend(job: BlendJob): Promise<void>;
  /** The same on the caller's thread, done when it returns. Not for a chunk that `blend` has begun. */
  blendAtOnce(job: BlendJob): void;
  /** Whether a chunk of so many weights is blended on the caller's thread. */
  runsInline(weights: number): boolean;
  /**
   * Waits for the chunks under way, then stops the threads that no other blender has used since. The blender may be
   * used again: it starts them anew.
   */
  close(): Promise<void>;
  /** Where blends run now: `'2 workers'` or `'inline'`. */
  readonly description: string;
}

export interface BlenderOptions {
  /** Threads of the process that may blend for this one at a time; 0 blends on the caller's thread. */
  readonly workers: number;
  /** A thread that has a chunk for this long counts as hung. */
  readonly timeoutMs: number;
  /**
   * The module that each thread runs; its default export takes a `BlendJob`. Default: `workers/blend`.
   */
  readonly workerFile?: URL;
  /** Chunks of fewer weights are blended on the caller's thread. Default: what is measured; 0 with a `workerFile`. */
  readonly smallestForThreads?: number;
  /** Told once, when threads are given up for good. Default: `console.warn`, once for each message. */
  readonly warn?: (message: string) => void;
}

/** Blends on the caller's thread, each chunk in one go. */
export class InlineBlender implements Blender {
  readonly description = 'inline';

  async blend(job: BlendJob): Promise<void> {
    blendChunk(job);
  }

  blendAtOnce(job: BlendJob): void {
    blendAtOnce(job);
  }

  runsInline(): boolean {
    return true;
  }

  async close(): Promise<void> {}
}
