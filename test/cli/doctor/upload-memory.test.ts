// What upload buffers take of VRAM, on a software device and with readings that are made up.

import { expect, test } from 'vitest';

import type { GpuReport } from '#src/cli/doctor/report.js';
import { measureUploads, uploadMemory } from '#src/cli/doctor/upload-memory.js';

import { describeWebGPU, start } from '../../engines/webgpu/engine.js';
import { machine } from './machines.js';

const MIB = 2 ** 20;

const gpu = (freeMib: number | null): GpuReport => ({
  source: 'sysfs',
  name: 'a GPU',
  driver: null,
  totalBytes: 8192 * MIB,
  freeBytes: freeMib === null ? null : freeMib * MIB,
});

describeWebGPU(() => {
  test('the largest loss of free memory, from before the buffers to after a copy from them', async () => {
    const { backend } = await start();
    const readings = [
      [gpu(1000), gpu(500), gpu(null)],
      [gpu(1001), gpu(244), gpu(null)],
    ];
    const made: string[] = [];
    const create = backend.device.createBuffer.bind(backend.device);
    backend.device.createBuffer = (descriptor) => (made.push('buffer'), create(descriptor));
    const gpus = async () => (made.push('reading'), readings.shift() ?? null);
    const found = await measureUploads(backend.device, gpus);
    expect(found).toEqual({ bytes: 256 * MIB, inVramBytes: 256 * MIB });
    expect(made.join(' ')).toBe('buffer reading buffer buffer buffer buffer reading');
  });

  test('null where nobody tells free memory, and on software', async () => {
    const { backend } = await start();
    expect(await measureUploads(backend.device, async () => [gpu(null)])).toBeNull();
    expect(await measureUploads(backend.device, async () => null)).toBeNull();
    expect(await uploadMemory(machine({}))).toBeNull();
  });
});
