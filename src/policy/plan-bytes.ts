// Bytes of one policy: on the device by category, on the host, and over the bus. For the WebGPU engine,
// which updates in place and blends on the device.

import { GROUPS, packedBytes, type ValueFormat } from '../../workers/codecs/value-format.js';
import { type ActivationBytes, activationBytes, type PlannedLayers } from './plan-activations.js';
import {
  MOMENTS,
  type PlannedWeight,
  type Policy,
  slowPlace,
  slowValueFormat,
} from './plan-policies.js';

/** What the bytes depend on, checked. */
export interface Training {
  readonly weights: readonly PlannedWeight[];
  /** Null: not known, activations count as `givenActivationBytes`. */
  readonly layers: PlannedLayers | null;
  readonly givenActivationBytes: number;
  readonly batchSize: number;
  readonly slots: number;
  readonly syncPeriod: number;
  readonly chunkBytes: number;
}

/** In the order of the engine's own report. Adds up to `deviceBytes`. */
export interface DeviceBytes {
  readonly weights: number;
  readonly gradients: number;
  readonly moments: number;
  readonly staging: number;
  readonly activations: number;
  /** Freed, kept for the next tensor of the same size; goes where the budget needs it. */
  readonly pool: number;
}

/** Adds up to `hostBytes`. */
export interface HostBytes {
  /** Slow weights on their way up: where they are between syncs. */
  readonly slowUpload: number;
  /** As much again, where they come down to. */
  readonly slowDownload: number;
  readonly moments: number;
}

export interface BusBytes {
  /** Moments that wait on the host go both ways in every step. */
  readonly bytesPerStep: number;
  /** Slow weights go up and come down. */
  readonly bytesPerSync: number;
  /** `bytesPerStep + bytesPerSync / syncPeriod`. */
  readonly meanBytesPerStep: number;
}

/** Pieces in which slow weights go through the device; the largest. */
export interface Chunks {
  readonly count: number;
  readonly bytes: number;
}

export interface PolicyBytes {
  readonly device: DeviceBytes;
  /** The peak while nothing limits it. */
  readonly deviceBytes: number;
  /** The budget that suffices: the peak without the pool. */
  readonly neededDeviceBytes: number;
  readonly host: HostBytes;
  readonly hostBytes: number;
  readonly bus: BusBytes;
  readonly chunks: Chunks;
}

const FLOAT_BYTES = 4;

// As in src/device/webgpu/blend: pieces on the device at a time, and the most that they take together.
const STAGING_PIECES = 4;
const STAGING_SHARE = 0.05;
const STAGING_BYTES = 2 ** 20;
/** Where a part of a piece begins. */
const ALIGN_BYTES = 256;
const PIECE_ALIGN_BYTES = 512;

export function policyBytes(policy: Policy, training: Training): PolicyBytes {
  const { weights, slots, syncPeriod, chunkBytes } = training;
  const trained = weights.filter(({ isTrained }) => isTrained);
  const gradientSizes = trained.map(({ elements }) => FLOAT_BYTES * elements);
  const largestGradient = gradientSizes.reduce((most, bytes) => Math.max(most, bytes), 0);

  const momentsPlace = MOMENTS[policy.moments];
  const momentBytes = slots * sum(trained.map(({ elements }) => momentsPlace.bytesOf(elements)));
  const isSlowOnHost = slowPlace(policy.slow) === 'host';
  const values = trained.map((weight) => ({
    format: slowValueFormat(policy.slow, weight),
    elements: weight.elements,
  }));
  const pieces = isSlowOnHost
    ? cutIntoPieces(values, pieceCapacity(sum(gradientSizes), chunkBytes))
    : { count: 0, bytes: 0, totalBytes: 0 };

  const activations = activationsOf(policy, training);
  const device: DeviceBytes = {
    weights:
      FLOAT_BYTES * sum(weights.map(({ elements }) => elements)) +
      (isSlowOnHost ? 0 : sum(gradientSizes)),
    gradients: policy.gradients === 'keep' ? sum(gradientSizes) : largestGradient,
    moments: momentsPlace.at === 'device' ? momentBytes : 0,
    staging: Math.min(STAGING_PIECES, pieces.count) * pieces.bytes,
    activations: activations.bytes,
    // A freed gradient serves only the weights of its own size.
    pool:
      activations.pooledBytes +
      (policy.gradients === 'keep' ? 0 : sum([...new Set(gradientSizes)]) - largestGradient),
  };
  const deviceBytes = sum(Object.values(device));
  const hostMoments = momentsPlace.at === 'host' ? 2 * momentBytes : 0; // up and down, as slow weights
  const host = {
    slowUpload: pieces.totalBytes,
    slowDownload: pieces.totalBytes,
    moments: hostMoments,
  };
  const bytesPerStep = momentsPlace.at === 'host' ? 2 * momentBytes : 0;
  const bytesPerSync = 2 * pieces.totalBytes;
  return {
    device,
    deviceBytes,
    neededDeviceBytes: deviceBytes - device.pool,
    host,
    hostBytes: sum(Object.values(host)),
    bus: {
      bytesPerStep,
      bytesPerSync,
      meanBytesPerStep: bytesPerStep + bytesPerSync / syncPeriod,
    },
    chunks: { count: pieces.count, bytes: pieces.bytes },
  };
}

function activationsOf(
  { gradients }: Policy,
  { layers, batchSize, givenActivationBytes }: Training,
): ActivationBytes {
  if (layers === null) return { bytes: givenActivationBytes, pooledBytes: 0 };
  return activationBytes(layers, batchSize, gradients);
}

/** Staging is 5 % of the weights at most, or 1 MiB if that is more. */
function pieceCapacity(weightBytes: number, chunkBytes: number): number {
  const stagingBytes = Math.max(STAGING_BYTES, STAGING_SHARE * weightBytes);
  const bytes = Math.min(chunkBytes, stagingBytes / STAGING_PIECES);
  return Math.max(PIECE_ALIGN_BYTES, Math.floor(bytes / PIECE_ALIGN_BYTES) * PIECE_ALIGN_BYTES);
}

/** The sizes of `layOutPacked` without its parts: how many pieces, the largest, and all together. */
export function cutIntoPieces(
  values: readonly { readonly format: ValueFormat; readonly elements: number }[],
  capacity: number,
): Chunks & { readonly totalBytes: number } {
  let [count, bytes, totalBytes, filled] = [0, 0, 0, 0];
  const close = (pieces = 1) => {
    if (filled === 0) return;
    count += pieces;
    bytes = Math.max(bytes, filled);
    totalBytes += pieces * filled;
    filled = 0;
  };
  for (const { format, elements } of values) {
    if (packedBytes(format, elements) > capacity - filled) close();
    const group = GROUPS[format];
    const fitting = Math.floor(capacity / group.bytes) * group.elements;
    // A weight is cut only where a part of it may begin.
    const unit = Math.max(group.elements, ALIGN_BYTES / FLOAT_BYTES);
    const cut = Math.floor(capacity / packedBytes(format, unit)) * unit;
    const whole = filled > 0 ? 0 : Math.max(0, Math.ceil((elements - fitting) / cut));
    if (whole > 0) {
      filled = aligned(packedBytes(format, cut));
      close(whole);
    }
    filled += aligned(packedBytes(format, elements - whole * cut));
  }
  close();
  return { count, bytes, totalBytes };
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGN_BYTES) * ALIGN_BYTES;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
