// Where the module is that threads run. A bundle has neither it nor the file that piscina starts its threads with.

import { existsSync } from 'node:fs';

import type { Piscina } from 'piscina';

/** Undefined in a bundle of CommonJS, which has no `import.meta`. */
const here = import.meta.url as string | undefined;

// The same place relative to this file in the sources and in dist/. Not as `new URL('…', import.meta.url)`, which
// bundlers take for a file to copy.
const extension = here?.endsWith('.ts') === true ? '.ts' : '.js';

/** `workers/blend`; undefined where nobody can say where it is. */
export function blendWorker(): URL | undefined {
  return here === undefined ? undefined : new URL(`../../../workers/blend${extension}`, here);
}

/** This module was bundled, so what threads need lies elsewhere or nowhere. */
export class BundledError extends Error {
  override readonly name = 'BundledError';
}

/** Not imported at the top: in a bundle of ES modules piscina throws when it is loaded. */
export async function loadPiscina(workerFile: URL): Promise<typeof Piscina> {
  if (!existsSync(workerFile)) throw new BundledError(`there is no ${workerFile.pathname}`);
  try {
    return (await import('piscina')).Piscina;
  } catch (cause) {
    throw new BundledError('piscina could not be loaded', { cause });
  }
}

/** Whether a thread could not start because a file was missing. */
export function isBundled(cause: unknown): boolean {
  if (cause instanceof BundledError) return true;
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  return code === 'MODULE_NOT_FOUND' || code === 'ERR_MODULE_NOT_FOUND';
}
