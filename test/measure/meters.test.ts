// Meters of memory, and numbers of lists of times.

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { timeBus } from '#src/measure/times/bus.js';
import { openBare } from '#src/measure/devices/devices.js';
import { startDriverMeter, UNKNOWN } from '#src/measure/meters/driver-meter.js';
import { Meters } from '#src/measure/meters/meters.js';
import { spreadOf } from '#src/measure/times/statistics.js';

import { hasSwiftShader } from '../engines/webgpu/swiftshader.js';

const MIB = 2 ** 20;

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

test('buffers: the highest sum, and a second destroy counts nothing', () => {
  vi.stubGlobal('GPUBufferUsage', { MAP_READ: 1, MAP_WRITE: 2, STORAGE: 128 });
  const device = {
    createBuffer: ({ size, usage }: GPUBufferDescriptor) => ({
      size,
      usage,
      destroy: () => undefined,
    }),
  } as unknown as GPUDevice;
  const meters = new Meters();
  meters.watchBuffers(device);
  const upload = device.createBuffer({ size: 8, usage: 2 });
  const weight = device.createBuffer({ size: 8, usage: 128 });
  upload.destroy();
  upload.destroy();
  device.createBuffer({ size: 4, usage: 128 });
  expect(meters.peakBufferBytes).toBe(16); // 8 + 8; 8 + 4 is less
  weight.destroy();
  device.createBuffer({ size: 2, usage: 1 });
  expect(meters.bufferBytes).toBe(6); // 4 + 2
});

test.skipIf(!hasSwiftShader)(
  'the bus alone takes its pieces up and down, four on the device, and gives all back',
  async () => {
    const meters = new Meters();
    const device = await openBare(undefined, meters);
    const pieces = [4096, 4096, 4096, 4096, 2048];
    const { bytes, ms } = await timeBus(device, pieces, 3);
    expect(bytes).toBe(2 * (4 * 4096 + 2048));
    expect(ms).toHaveLength(3);
    expect(meters.peakBufferBytes).toBe(bytes + 4 * 4096);
    expect(meters.bufferBytes).toBe(0);
  },
);

describe.skipIf(process.platform === 'win32')('the driver, by an nvidia-smi of ours', () => {
  /** `processes`: rows of a process's number and its MiB; `used`: MiB of the GPU. */
  const usedMib = (processes: string, used: number) => {
    const file = join(folder, 'nvidia-smi');
    const answer = `case "$1" in *apps*) echo "${processes}" ;; *) echo "${used}" ;; esac`;
    writeFileSync(file, `#!/bin/sh\n${answer}\n`);
    chmodSync(file, 0o755);
  };
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'slowlane-smi-'));
    usedMib('', 10);
    vi.stubEnv('PATH', [folder, process.env['PATH']].join(delimiter));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  test("the process's own bytes where it reports them, else the rise of the GPU", async () => {
    const ofGpu = await startDriverMeter();
    ofGpu.process(7);
    ofGpu.enter('awaited');
    usedMib('8, 500', 60); // another's process
    await wait(300);
    const rise = await ofGpu.stop();
    expect(rise).toMatchObject({ source: 'gpu', baselineBytes: 10 * MIB, peakBytes: 50 * MIB });
    expect(rise.byPhase['awaited']).toBe(50 * MIB);

    const ofProcess = await startDriverMeter();
    ofProcess.process(7);
    usedMib('7, 40', 90);
    await wait(300);
    expect(await ofProcess.stop()).toMatchObject({ source: 'process', peakBytes: 40 * MIB });
  });

  test('not asked any more once times are taken', async () => {
    const driver = await startDriverMeter('awaited');
    driver.enter('warm-up');
    usedMib('', 60);
    await wait(300);
    driver.enter('awaited');
    await wait(100); // a sample may be under way
    usedMib('', 500);
    await wait(300);
    expect(await driver.stop()).toMatchObject({
      peakBytes: 50 * MIB,
      byPhase: { 'set-up': expect.any(Number) as number, 'warm-up': 50 * MIB },
    });
  });
});

test('driver: unknown without nvidia-smi', async () => {
  vi.stubEnv('PATH', '');
  expect(await (await startDriverMeter()).stop()).toBe(UNKNOWN);
});
