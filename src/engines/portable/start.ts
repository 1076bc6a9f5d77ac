// tfjs's own backends that compute on the CPU, made the current one; or why that could not be.

import * as tf from '@tensorflow/tfjs-core';

import { SlowlaneError } from '../../checks/errors.js';

export type CpuBackendName = 'wasm' | 'cpu';

const IMPORTS: Readonly<Record<CpuBackendName, () => Promise<unknown>>> = {
  wasm: () => import('@tensorflow/tfjs-backend-wasm'),
  cpu: () => import('@tensorflow/tfjs-backend-cpu'),
};

/** A backend cannot be used. */
export class BackendLoadError extends SlowlaneError {
  override readonly name = 'BackendLoadError';
  /** What failed. */
  readonly what: string;
  /** What to do. */
  readonly remedy: string;

  constructor(what: string, remedy: string, options?: ErrorOptions) {
    super('PACKAGE_MISSING', `${what} ${remedy}.`, {}, options);
    this.what = what;
    this.remedy = remedy;
  }
}

/** Throws a BackendLoadError. */
export async function startCpuBackend(name: CpuBackendName): Promise<void> {
  const from = `@tensorflow/tfjs-backend-${name}`;
  try {
    await IMPORTS[name]();
  } catch (error) {
    const reason = isMissing(error, from) ? `${from} isn't installed.` : firstLine(error);
    throw new BackendLoadError(reason, `npm install ${from}`, { cause: error });
  }
  if (tf.findBackendFactory(name) === null) {
    throw new BackendLoadError(
      `The backend ${name} was removed with tf.removeBackend().`,
      'Register it again with tf.registerBackend(), or start a new process',
    );
  }
  // A backend that fails to start is only logged by tfjs.
  const hasStarted = await tf.setBackend(name);
  if (hasStarted && tf.getBackend() === name) return;
  throw new BackendLoadError(
    `${from} is installed, but its backend ${name} did not start.`,
    `Install it again in the version of @tensorflow/tfjs-core (${tf.version_core})`,
  );
}

function isMissing(error: unknown, name: string): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false;
  const codes: unknown[] = ['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'];
  return codes.includes(error.code) && error.message.includes(name);
}

function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split('\n', 1)[0] ?? '';
}
