// Maps pairs again that the device has finished with, and copies each download to its upload buffer on the host.

import type { DeviceErrors } from '../device-errors.js';
import type { Background } from './background.js';
import type { MappedPair } from './mapped-pair.js';
import type { Slices } from './slices.js';

/** What a readback needs. */
export interface Host {
  readonly errors: DeviceErrors;
  readonly slices: Slices;
  readonly background: Background;
}

/**
 * `pairs` were handed over; `submitted` rejects if the device failed. Resolves when the downloads are copied. If it rejects,
 * the pairs hold their previous bytes.
 */
export async function copyBack(
  pairs: readonly MappedPair[],
  submitted: Promise<void>,
  { errors, slices, background }: Host,
): Promise<void> {
  // All at once, so that each is there as soon as the device is done with it.
  const returns = pairs.map((pair) =>
    pair.map().catch(async (error: unknown) => {
      throw await errors.named(error);
    }),
  );
  void Promise.allSettled(returns);
  let failure: unknown = null;
  await submitted.catch((error: unknown) => (failure = error));
  const isTrusted = failure === null;
  for (const [i, pair] of pairs.entries()) {
    try {
      await returns[i];
      if (background.isStopped) return;
      if (isTrusted) await pair.keepDownload(slices);
      else await pair.keepUpload(slices);
    } catch (error) {
      failure ??= error; // the others are copied all the same
    }
  }
  if (background.isStopped) return;
  if (failure !== null) throw failure;
}
