// Errors of the device, as thrown errors with names.

import { SlowlaneError, type SlowlaneErrorDetails } from '../../checks/errors.js';

const NAMES = {
  validation: 'GpuValidationError',
  'out-of-memory': 'GpuOutOfMemoryError',
  internal: 'GpuInternalError',
  limit: 'GpuLimitError',
  lost: 'GpuLostError',
} as const;

/**
 * - `validation`: a command or a shader that the device refused;
 * - `out-of-memory`: the device had no memory for a buffer (the budget had);
 * - `internal`: the driver failed, for example to compile a correct shader;
 * - `limit`: a tensor larger than any buffer of this device can be;
 * - `lost`: the device is gone, with everything on it.
 */
export type GpuErrorKind = keyof typeof NAMES;

/** Something that the device refused or failed to do. `error.name` tells the kinds apart too. */
export class GpuError extends SlowlaneError {
  override readonly name: string;
  readonly kind: GpuErrorKind;

  constructor(
    kind: GpuErrorKind,
    message: string,
    details: SlowlaneErrorDetails = {},
    options?: ErrorOptions,
  ) {
    super('ENGINE', message, { kind, ...details }, options);
    this.kind = kind;
    this.name = NAMES[kind];
  }
}

/** The named error for one that WebGPU reported. */
export function fromDevice(error: GPUError): GpuError {
  const { message } = error;
  const cause = { cause: error };
  if (error instanceof GPUOutOfMemoryError) {
    return new GpuError(
      'out-of-memory',
      `The GPU is out of memory. Use a smaller batch, or a vramBudget below what other programs leave ` +
        `free on this GPU. The device said: ${message}`,
      {},
      cause,
    );
  }
  const kind = error instanceof GPUValidationError ? 'validation' : 'internal';
  const what = kind === 'validation' ? 'The GPU refused a command' : 'The GPU driver failed';
  return new GpuError(kind, `${what}; results since then are not used. ${message}`, {}, cause);
}
