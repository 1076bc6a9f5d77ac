// Bytes of one policy: on the device by category, on the host, and over the bus. They hold for the WebGPU engine,
// which updates in place and blends on the device.

import { type SlowFormat, valueFormat } from '../slow/slow-format.js';
import { pieceRuns, stagedPieceBytes, stagingBytesOf } from '../slow/quantized-layout.js';
import { type ActivationBytes, activationBytes, type PlannedLayers, sum } from './activations.js';
import { type PlannedWeight, type Policy, slowOf } from './policies.js';
import { type PlannedRule, stepBytes } from './step-bytes.js';

/** What the bytes depend on, checked. */
export interface Training {
  readonly weights: readonly PlannedWeight[];
  /** null: not known. Activations then count as `givenActivationBytes`. */
  readonly layers: PlannedLayers | null;
  readonly givenActivationBytes: number;
  /** Examples per micro-batch. */
  readonly batchSize: number;
  /** Micro-batches per step. */
  readonly accumulate: number;
  readonly rule: PlannedRule;
  readonly syncPeriod: number;
  readonly chunkBytes: number;
}

/**
 * Bytes on the device at the peak, in the categories and the order of `gpu.memory().by`. They add up to `deviceBytes`.
 */
export interface DeviceBytes {
  /** Weights, and slow weights that are kept on the device. */
  readonly weights: number;
  /** Gradients. */
  readonly gradients: number;
  /** Moments. */
  readonly moments: number;
  /** Buffers for transfers. */
  readonly staging: number;
  /** Activations and their gradients. */
  readonly activations: number;
  /** Freed buffers kept for the next tensor of the same size, released when the budget needs them. */
  readonly pool: number;
}

/** Bytes of host memory. They add up to `hostBytes`. */
export interface HostBytes {
  /** Slow weights as they are stored. */
  readonly slow: number;
  /** The few buffers that the device reaches and that slow weights pass through. */
  readonly staging: number;
  /** Offloaded moments: their upload and download buffers. */
  readonly moments: number;
}

/** Bytes over the bus. */
export interface BusBytes {
  /** Offloaded moments, in both directions, once for each micro-batch that they take in. */
  readonly bytesPerStep: number;
  /** Slow weights, in both directions. */
  readonly bytesPerSync: number;
  /** `bytesPerStep + bytesPerSync / syncPeriod`. */
  readonly meanBytesPerStep: number;
}

/** The pieces in which slow weights cross the bus. */
export interface Chunks {
  /** Number of pieces. */
  readonly count: number;
  /** Bytes of the largest piece. */
  readonly bytes: number;
}

/** The bytes that one policy takes. */
export interface PolicyBytes {
  /** Bytes on the device by category. */
  readonly device: DeviceBytes;
  /** The peak on the device without a budget. */
  readonly deviceBytes: number;
  /** The budget that suffices: the peak without the pool. */
  readonly neededDeviceBytes: number;
  /** Bytes on the host by what they are for. */
  readonly host: HostBytes;
  /** All of them. */
  readonly hostBytes: number;
  /** Bytes over the bus. */
  readonly bus: BusBytes;
  /** The pieces of a sync. */
  readonly chunks: Chunks;
}

const FLOAT_BYTES = 4;
/** Tensors of a weight's size while plain operations blend it on the device. */
const BLEND_TENSORS = 5;

export function policyBytes(policy: Policy, training: Training): PolicyBytes {
  const { weights, rule, accumulate, syncPeriod, chunkBytes } = training;
  const trained = weights.filter(({ isTrained }) => isTrained);
  const slowOnDevice = trained.filter((weight) => slowOf(policy, weight) === 'device:f32');
  const pieces = piecesOf(policy, trained, chunkBytes);
  const piecesBytes = sum(pieces.map(({ bytes, times }) => times * bytes));

  const step = stepBytes(policy, trained, rule, accumulate);
  const activations = activationsOf(policy, training);
  const device: DeviceBytes = {
    weights: floatBytes(weights) + floatBytes(slowOnDevice),
    gradients: step.gradients,
    moments: step.moments,
    // Slow weights on the host and on the device are blended one after the other.
    staging: Math.max(stagingBytesOf(pieces), blendBytes(slowOnDevice, step.gradients)),
    activations: activations.bytes,
    pool: activations.pooledBytes + step.pool,
  };
  const deviceBytes = sum(Object.values(device));
  const host: HostBytes = {
    slow: piecesBytes,
    staging: 2 * stagingBytesOf(pieces), // one up and one down for each on the device
    moments: step.hostMoments,
  };
  const bytesPerStep = step.busPerStep;
  const bytesPerSync = 2 * piecesBytes;
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
    chunks: {
      count: sum(pieces.map(({ times }) => times)),
      bytes: pieces.reduce((most, { bytes }) => Math.max(most, bytes), 0),
    },
  };
}

/** The pieces of slow weights on the host, as the engine lays them out. */
function piecesOf(policy: Policy, trained: readonly PlannedWeight[], chunkBytes: number) {
  const isOnHost = (slow: SlowFormat | null) => slow !== null && slow !== 'device:f32';
  const onHost = trained.filter((weight) => isOnHost(slowOf(policy, weight)));
  const items = onHost.map((weight) => ({
    item: weight,
    format: valueFormat(slowOf(policy, weight) as SlowFormat, { shape: weight.shape, slot: null }),
    size: weight.elements,
  }));
  return [...pieceRuns(items, stagedPieceBytes(floatBytes(onHost), chunkBytes))];
}

/** Weights are blended one after the other, after the gradients were freed. */
function blendBytes(weights: readonly PlannedWeight[], gradientBytes: number): number {
  const largest = weights.reduce((most, { elements }) => Math.max(most, elements), 0);
  return Math.max(0, BLEND_TENSORS * FLOAT_BYTES * largest - gradientBytes);
}

function activationsOf(
  { gradients }: Policy,
  { layers, batchSize, givenActivationBytes }: Training,
): ActivationBytes {
  if (layers === null) return { bytes: givenActivationBytes, pooledBytes: 0 };
  return activationBytes(layers, batchSize, gradients);
}

function floatBytes(weights: readonly PlannedWeight[]): number {
  return FLOAT_BYTES * sum(weights.map(({ elements }) => elements));
}
