// The parts of the GPU benchmark that need no GPU.

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';

import { startDriverMeter } from '#src/measure/driver-meter.js';
import { Meters } from '#src/measure/meters.js';
import type { BenchRecord, CellRecord, ReferenceValues } from '#bench/gpu/record.js';
import { spreadOf } from '#src/measure/statistics.js';
import { summarize } from '#bench/gpu/summary.js';
import { verdictsOf } from '#bench/gpu/verdict.js';

const MIB = 2 ** 20;
const PARAMETERS = 100;
const MEASURED = {
  parameters: PARAMETERS,
  peaks: {},
  buffersAtEnd: { countedBytes: 0, backendBytes: null },
  host: { rssBytes: 0, peakRssBytes: 0 },
  lookahead: null,
};

afterEach(() => {
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
});

test('spread: the p95 is a value that was measured', () => {
  expect(spreadOf([3, 1, 2, 10])).toEqual({
    count: 4,
    mean: 4,
    median: 2.5,
    p95: 10,
    min: 1,
    max: 10,
  });
  expect(spreadOf([])).toBeNull();
});

test('summary: every kth step is a sync step, the mean is over whole cycles', () => {
  const summary = summarize(
    {
      ...MEASURED,
      kind: 'training',
      learningRate: 1,
      losses: [],
      warmUpMs: [9, 30, 9, 20],
      awaitedMs: [
        [1, 4, 1, 6],
        [2, 8, 2, 8],
      ],
      unsynchronisedMs: [4, 8],
      eventLoopDelayMs: { max: 0, mean: 0 },
    },
    2,
  );
  expect(summary).toMatchObject({
    stepMs: { median: 1.5, max: 2 }, // 1 1 2 2
    syncStepMs: { median: 7, min: 4 }, // 4 6 8 8
    firstSyncStepMs: 30,
    cycleMeanMs: 4, // 32 / 8
    cycleMeanRangeMs: [3, 5],
    unsynchronisedMs: { median: 1.5 }, // 4 / 4 and 8 / 4
  });
});

test('meters: peaks by phase, mappable buffers apart, a second destroy counts nothing', () => {
  vi.stubGlobal('GPUBufferUsage', { MAP_READ: 1, MAP_WRITE: 2, STORAGE: 128 });
  const device = {
    createBuffer: ({ size, usage }: GPUBufferDescriptor) => ({
      size,
      usage,
      destroy: () => undefined,
    }),
  } as unknown as GPUDevice;
  const meters = new Meters('set-up');
  meters.watchBuffers(device);
  const upload = device.createBuffer({ size: 8, usage: 2 });
  const weight = device.createBuffer({ size: 8, usage: 128 });
  upload.destroy();
  upload.destroy();
  meters.enter('awaited');
  device.createBuffer({ size: 4, usage: 128 });
  weight.destroy();
  device.createBuffer({ size: 2, usage: 1 });
  expect(meters.peaks).toEqual({
    'set-up': { logicalBytes: 0, deviceLocalBytes: 8, mappableBytes: 8, allBuffersBytes: 16 },
    awaited: { logicalBytes: 0, deviceLocalBytes: 12, mappableBytes: 2, allBuffersBytes: 12 }, // 8 + 4; 4 + 2
  });
  expect(meters.bufferBytes).toBe(6);
});

test.skipIf(process.platform === 'win32')(
  "driver: the process's own bytes if nvidia-smi tells them, else the rise of the GPU",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'slowlane-smi-'));
    try {
      const usedMib = (processes: string, used: number) => {
        const file = join(folder, 'nvidia-smi');
        const answer = `case "$1" in *apps*) echo "${processes}" ;; *) echo "${used}" ;; esac`;
        writeFileSync(file, `#!/bin/sh\n${answer}\n`);
        chmodSync(file, 0o755);
      };
      usedMib('', 10);
      vi.stubEnv('PATH', [folder, process.env['PATH']].join(delimiter));

      const ofGpu = await startDriverMeter();
      ofGpu?.process(7);
      ofGpu?.enter('awaited');
      usedMib('8, 500', 60); // another's process
      await wait(300);
      const rise = await ofGpu?.stop();
      expect(rise).toMatchObject({ source: 'gpu', baselineBytes: 10 * MIB, peakBytes: 50 * MIB });
      expect(rise?.byPhase['awaited']).toBe(50 * MIB);

      const ofProcess = await startDriverMeter();
      ofProcess?.process(7);
      usedMib('7, 40', 90);
      await wait(300);
      expect(await ofProcess?.stop()).toMatchObject({ source: 'process', peakBytes: 40 * MIB });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

test('driver: unknown without nvidia-smi', async () => {
  vi.stubEnv('PATH', '');
  expect(await startDriverMeter()).toBeNull();
});

test('verdicts: yes within the limits, no above, unknown where a number is missing', () => {
  const cells = [
    released('adam-release', 1200),
    released('lookahead-release-f32', 1250),
    released('lookahead-release-f16', 1280),
    reference('bus', { 'f16 in 4 MiB pieces': 12, 'f16 in 8 MiB pieces': 10 }),
    reference('sync-only-f16', { 'until the GPU is done': 14 }),
    reference('copy-device', { 'ten rounds a wait': 4 }),
    reference('adam-update-only', { 'ten rounds a wait': 6 }),
  ];
  expect(answersOf(cells)).toEqual(['yes', 'no', 'yes']); // 12.8; 1.4 × the better bus; 1.5
  expect(answersOf(cells.slice(1, 4))).toEqual(['unknown', 'unknown', 'unknown']);
  expect(answersOf([released('adam-release', 1281)])).toEqual(['no', 'unknown', 'unknown']);
  expect(answersOf(cells, true)).toEqual(['unknown', 'unknown', 'unknown']);
});

function answersOf(cells: CellRecord[], software = false): string[] {
  const machine = { adapter: { software } } as BenchRecord['machine'];
  return verdictsOf({ cells, machine }).map(({ answer }) => answer);
}

function released(name: string, peakBytes: number): CellRecord {
  return { ...reference(name, {}), driver: { ...DRIVER, peakBytes } };
}

function reference(name: string, medians: Record<string, number>): CellRecord {
  const series = Object.entries(medians).map(([name, ms]) => ({
    name,
    bytes: 1,
    ms: [ms],
    firstMs: ms,
  }));
  const values: ReferenceValues = { ...MEASURED, kind: 'reference', series };
  return {
    name,
    wallMs: 1,
    driver: DRIVER,
    status: 'ok',
    values,
    summary: summarize(values, 1),
  };
}

const DRIVER = {
  source: 'process',
  baselineBytes: 0,
  peakBytes: null,
  byPhase: {},
  samples: 1,
} as const;
