// Run records for tests, with numbers that one can check in the head.

import type { RunRecord } from '#src/records/run-record.js';
import { StepClock } from '#src/records/step-times.js';

const MIB = 2 ** 20;

/** 200 steps in 4 s, 40 syncs in 0.1 s; a loss that falls from 2 towards 0.1. */
export const RECORD: RunRecord = {
  version: 2,
  tool: 'slowlane',
  toolVersion: '1.2.3',
  partial: false,
  ended: 'done',
  startedAt: '2026-01-02T03:04:05.678Z',
  command: ['train', '--steps', '200'],
  options: { data: 'mnist', model: 'mlp', inner: 'adam', lookahead: true, 'sync-period': 5 },
  engine: { name: 'wasm', note: '' },
  node: 'v20.0.0',
  platform: { system: 'linux x64', cpu: 'Some CPU', cores: 2, memoryBytes: 8192 * MIB },
  seed: 1,
  data: { name: 'mnist', trainCount: 60_000, testCount: 10_000, testNote: 'all test images' },
  model: { name: 'mlp', description: '784 → 10', parameters: 7850 },
  steps: { planned: 200, done: 200 },
  wallMs: { training: 4000, total: 65_000 },
  losses: Array.from({ length: 200 }, (_, index) => ({
    step: index + 1,
    loss: 0.1 + 1.9 * Math.exp(-index / 40) + 0.05 * Math.sin(index * 7),
  })),
  evaluations: [
    { weights: 'fast', loss: 0.25, accuracy: 0.9 },
    { weights: 'slow', loss: 0.125, accuracy: 0.9625 },
  ],
  validation: { step: [200], fast: [0.25], slow: [0.125] },
  stepTimes: new StepClock().columns(),
  timeline: null,
  memory: {
    weightBytes: 31_400,
    deviceBytes: 3 * MIB,
    host: { slowBytes: 512 * 1024, stagingBytes: 8 * MIB },
  },
  sync: {
    syncs: 40,
    totalMs: 100,
    pullMs: 10,
    blendMs: 60,
    pushMs: 20,
    checkMs: 10,
    bytesPulled: 40 * MIB,
    bytesPushed: 20 * MIB,
    workers: '1 worker',
  },
};
