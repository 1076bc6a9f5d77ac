// Bytes of one policy: on the device by category, on the host, and over the bus. For the WebGPU engine,
// which updates in place and blends on the device.

import { GROUPS, packedBytes, type ValueFormat } from '../../workers/codecs/value-format.js';
import { type ActivationBytes, activationBytes, type PlannedLayers } from './activations.js';
import { type PlannedWeight, type Policy, slowPlace, slowValueFormat } from './policies.js';
import { type PlannedRule, stepBytes } from './step-bytes.js';

/** What the bytes depend on, checked. */
export interface Training {
  readonly weights: readonly PlannedWeight[];
  /** Null: not known, activations count as `givenActivationBytes`. */
  readonly layers: PlannedLayers | null;
  readonly givenActivationBytes: number;
  /** Of a micro-batch. */
  readonly batchSize: number;
  /** Micro-batches to a step. */
  readonly accumulate: number;
  readonly rule: PlannedRule;
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
  /** Moments that wait on the host go both ways, with each micro-batch that they take in. */
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
/** Tensors of a weight's size while plain operations blend it on the device. */
const BLEND_TENSORS = 5;
const PIECE_ALIGN_BYTES = 512;

export function policyBytes(policy: Policy, training: Training): PolicyBytes {
  const { weights, rule, accumulate, syncPeriod, chunkBytes } = training;
  const trained = weights.filter(({ isTrained }) => isTrained);
  const trainedBytes = FLOAT_BYTES * sum(trained.map(({ elements }) => elements));
  const isSlowOnHost = slowPlace(policy.slow) === 'host';
  const values = trained.map((weight) => ({
    format: slowValueFormat(policy.slow, weight),
    elements: weight.elements,
  }));
  const pieces = isSlowOnHost
    ? cutIntoPieces(values, pieceCapacity(trainedBytes, chunkBytes))
    : { count: 0, bytes: 0, totalBytes: 0 };

  const step = stepBytes(policy, trained, rule, accumulate);
  const activations = activationsOf(policy, training);
  const device: DeviceBytes = {
    weights:
      FLOAT_BYTES * sum(weights.map(({ elements }) => elements)) +
      (isSlowOnHost ? 0 : trainedBytes),
    gradients: step.gradients,
    moments: step.moments,
    staging: isSlowOnHost
      ? Math.min(STAGING_PIECES, pieces.count) * pieces.bytes
      : blendBytes(trained, step.gradients),
    activations: activations.bytes,
    pool: activations.pooledBytes + step.pool,
  };
  const deviceBytes = sum(Object.values(device));
  const host = {
    slowUpload: pieces.totalBytes,
    slowDownload: pieces.totalBytes,
    moments: step.hostMoments,
  };
  const bytesPerStep = step.busPerStep;
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

/** One weight after the other, when the gradients are gone. */
function blendBytes(trained: readonly PlannedWeight[], gradientBytes: number): number {
  const largest = trained.reduce((most, { elements }) => Math.max(most, elements), 0);
  return Math.max(0, BLEND_TENSORS * FLOAT_BYTES * largest - gradientBytes);
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
