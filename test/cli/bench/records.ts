// Records of benchmarks, made up.

import type { FitCell, FitRecord } from '#src/cli/bench/fit/record.js';
import type { MemoryCell, MemoryRecord } from '#src/cli/bench/memory/record.js';
import type { SpeedCell, SpeedRecord } from '#src/cli/bench/speed/record.js';
import type { SyncCell, SyncRecord } from '#src/cli/bench/sync/record.js';

export const FIT_CELL: FitCell = {
  policy: 'tfjs-adam-lookahead',
  status: 'done',
  layers: 3,
  isLargest: true,
  parameters: 786_432,
  peakBytes: 51_660_512,
  hostBytes: 0,
  bytesPerParameter: 65.69,
  losses: [3, 2],
  estimate: null,
  tries: [
    { layers: 3, outcome: 'fits', wallMs: 7000, peakBytes: 51_660_512, reason: null },
    { layers: 4, outcome: 'over budget', wallMs: 2000, peakBytes: null, reason: 'too much' },
  ],
  failure: null,
};

export const FIT_RECORD: FitRecord = {
  schema: 'slowlane-bench',
  schemaVersion: 1,
  bench: 'fit',
  startedAt: '2026-01-01T00:00:00.000Z',
  endedAt: '2026-01-01T00:01:00.000Z',
  isPartial: false,
  ended: 'done',
  command: ['bench', 'fit', '--vram', '64MiB'],
  machine: {
    adapter: {
      name: 'a card',
      software: false,
      vendor: 'v',
      architecture: 'a',
      driver: 'driver 1',
      maxBufferBytes: 2 ** 30,
    },
    engine: null,
    nvidia: { name: 'a card' },
    cpu: 'a processor',
    cores: 2,
    ramBytes: 2 ** 33,
    platform: 'linux',
    versions: { node: '20', tfjs: '4.22.0', webgpu: '0.6.2', slowlane: '0.1.0' },
    commit: 'abc',
  },
  options: {
    vramBytes: 64 * 2 ** 20,
    width: 512,
    batch: 8,
    steps: 6,
    syncPeriod: 5,
    maxLayers: 1000,
    tryTimeoutMs: 1000,
    policies: ['tfjs-adam-lookahead'],
    adapter: null,
  },
  cells: [FIT_CELL],
};

export const MEMORY_CELL: MemoryCell = {
  policy: 'release+device:f32',
  status: 'done',
  wallMs: 5000,
  parameters: 262_144,
  logicalBytes: 4_550_000,
  allocatorBytes: 4_194_304,
  atPeak: {
    weights: 1_048_576,
    gradients: 0,
    moments: 2_097_152,
    staging: 786_432,
    activations: 131_072,
    pool: 131_072,
  },
  highest: {
    weights: 1_048_576,
    gradients: 262_144,
    moments: 2_097_152,
    staging: 786_432,
    activations: 262_144,
    pool: 524_288,
  },
  hostBytes: 2_097_152,
  peakRssBytes: 400_000_000,
  losses: [3, 2],
  allocatorBytesPerParameter: 16,
  logicalBytesPerParameter: 17.36,
  driver: {
    source: 'process',
    baselineBytes: 10_485_760,
    peakBytes: 314_572_800,
    byPhase: { 'set-up': 209_715_200, training: 314_572_800 },
    samples: 50,
  },
  failure: null,
};

export const MEMORY_RECORD: MemoryRecord = {
  ...FIT_RECORD,
  bench: 'memory',
  command: ['bench', 'memory'],
  options: {
    engine: 'webgpu',
    model: 'stack',
    layers: 4,
    width: 256,
    batch: 8,
    steps: 6,
    syncPeriod: 5,
    cellTimeoutMs: 1000,
    policies: ['release+device:f32'],
    adapter: null,
  },
  cells: [MEMORY_CELL],
};

export const WASM_MACHINE: MemoryRecord['machine'] = {
  ...FIT_RECORD.machine,
  adapter: null,
  engine: 'wasm (SIMD, 1 thread)',
  nvidia: null,
};

/** Of a model, on an engine whose allocator nothing counts. */
export const WASM_RECORD: MemoryRecord = {
  ...MEMORY_RECORD,
  machine: WASM_MACHINE,
  options: {
    ...MEMORY_RECORD.options,
    engine: 'wasm',
    model: 'transformer',
    layers: null,
    width: null,
  },
  cells: [
    {
      ...MEMORY_CELL,
      allocatorBytes: null,
      allocatorBytesPerParameter: null,
      atPeak: null,
      highest: null,
      driver: { source: 'unknown', baselineBytes: null, peakBytes: null, byPhase: {}, samples: 0 },
    },
  ],
};

const spread = (median: number) => ({
  count: 4,
  mean: median,
  median,
  p95: median + 1,
  min: median - 1,
  max: median + 2,
});

const SYNC_COST = {
  total: 5,
  check: 0.5,
  wait: 1,
  pull: 1.5,
  blend: 0.5,
  push: 1.5,
  readback: 2,
  bytesPulled: 1_048_576,
  bytesPushed: 1_048_576,
};

const SYNC_SPREADS = {
  total: spread(5),
  check: spread(1),
  wait: spread(2),
  pull: spread(3),
  blend: spread(4),
  push: spread(1),
  readback: spread(12),
};

export const SPEED_CELL: SpeedCell = {
  policy: 'keep-adam-lookahead',
  status: 'done',
  wallMs: 5000,
  parameters: 262_144,
  stepTimesMs: [
    [10, 20],
    [12, 22],
  ],
  syncs: [SYNC_COST, SYNC_COST],
  cycleMs: spread(16),
  stepMs: spread(11),
  syncStepMs: spread(121),
  syncMs: SYNC_SPREADS,
  logicalBytes: 4_550_000,
  allocatorBytes: 4_194_304,
  hostBytes: 2_097_152,
  peakRssBytes: 400_000_000,
  allocatorBytesPerParameter: 16,
  logicalBytesPerParameter: 17.36,
  driver: MEMORY_CELL.driver,
  failure: null,
};

export const SPEED_RECORD: SpeedRecord = {
  ...FIT_RECORD,
  bench: 'speed',
  command: ['bench', 'speed'],
  options: {
    engine: 'webgpu',
    model: 'stack',
    layers: 4,
    width: 256,
    batch: 8,
    steps: 2,
    repeats: 2,
    syncPeriod: 2,
    slow: 'host:f32',
    cellTimeoutMs: 1000,
    policies: ['keep-adam-lookahead'],
    adapter: null,
  },
  cells: [SPEED_CELL],
};

export const SYNC_CELL: SyncCell = {
  slow: 'host:f16r8',
  status: 'done',
  wallMs: 5000,
  parameters: 262_144,
  bytes: 1_572_864, // 2 × 3 bytes each
  warmUpMs: [40, 8],
  times: { callMs: [5, 5], doneMs: [8, 8], costs: [SYNC_COST, SYNC_COST] },
  bus: { pieces: 3, pieceBytes: 262_144, firstMs: 9, roundMs: [4, 4] },
  callMs: spread(5),
  doneMs: spread(8),
  partsMs: SYNC_SPREADS,
  bytesPerSecond: 196_608_000,
  busBytesPerSecond: 393_216_000,
  shareOfBus: 0.5,
  failure: null,
};

export const SYNC_RECORD: SyncRecord = {
  ...FIT_RECORD,
  bench: 'sync',
  command: ['bench', 'sync'],
  options: {
    engine: 'webgpu',
    model: 'stack',
    layers: 4,
    width: 256,
    batch: 8,
    syncPeriod: 5,
    repeats: 5,
    slow: ['host:f16r8'],
    cellTimeoutMs: 1000,
    adapter: null,
  },
  cells: [SYNC_CELL],
};
