// Errors of the device, as thrown errors with names.

import { SlowlaneError, type SlowlaneErrorDetails } from '../../checks/errors.js';

const KINDS = {
  validation: { name: 'GpuValidationError', code: 'DEVICE_FAILED' },
  'out-of-memory': { name: 'GpuOutOfMemoryError', code: 'OUT_OF_MEMORY' },
  internal: { name: 'GpuInternalError', code: 'DEVICE_FAILED' },
  limit: { name: 'GpuLimitError', code: 'UNSUPPORTED' },
  lost: { name: 'GpuLostError', code: 'DEVICE_LOST' },
} as const;

/**
 * - `validation`: the device refused a command or a shader;
 * - `out-of-memory`: the device had no memory for a buffer, though the budget had;
 * - `internal`: the driver failed, for example to compile a correct shader;
 * - `limit`: a tensor is larger than a buffer of this device can be;
 * - `lost`: the device is gone, with everything on it.
 */
export type GpuErrorKind = keyof typeof KINDS;

/**
 * Something that the device refused or failed to do. `kind` and `code` say which.
 *
 * @hideconstructor
 */
export class GpuError extends SlowlaneError {
  /**
   * The name of the kind: `GpuValidationError`, `GpuOutOfMemoryError`, `GpuInternalError`, `GpuLimitError` or `GpuLostError`.
   */
  override readonly name: string;
  /** What happened. */
  readonly kind: GpuErrorKind;

  constructor(
    kind: GpuErrorKind,
    message: string,
    details: SlowlaneErrorDetails = {},
    options?: ErrorOptions,
  ) {
    const { name, code } = KINDS[kind];
    super(code, message, { kind, ...details }, options);
    this.kind = kind;
    this.name = name;
  }
}

/** The named error for one that WebGPU reported. */
export function fromDevice(error: GPUError): GpuError {
  const { message } = error;
  const cause = { cause: error };
  if (isNamed(error, 'GPUOutOfMemoryError')) {
    return new GpuError(
      'out-of-memory',
      `The GPU is out of memory. Use a smaller batch, or a vramBudget below what other programs leave ` +
        `free on this GPU. The device said: ${message}`,
      {},
      cause,
    );
  }
  const kind = isNamed(error, 'GPUValidationError') ? 'validation' : 'internal';
  const what = kind === 'validation' ? 'The GPU refused a command' : 'The GPU driver failed';
  return new GpuError(kind, `${what}; results since then are not used. ${message}`, {}, cause);
}

/** Not instanceof: Deno has classes of these names beside those of the package `webgpu`. */
function isNamed(error: GPUError, name: string): boolean {
  return error.constructor.name === name;
}
