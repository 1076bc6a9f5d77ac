// Where buffers that the host uploads from are: on some machines in VRAM, where nothing else counts them.

import { requestDevice } from '../../engines/webgpu/adapters.js';
import { workDone } from '../../engines/webgpu/waiting.js';
import { mergedGpus, nvidiaGpus, pciGpus } from './gpus.js';
import { findAdapters } from './list-adapters.js';
import type { Machine } from './machine.js';
import type { GpuReport, UploadMemory } from './report.js';

/** Enough to be seen among what other programs do. */
const BUFFERS = 4;
const BUFFER_BYTES = 64 * 2 ** 20;

type Gpus = () => Promise<readonly GpuReport[] | null>;

/** null without a GPU that tells how much of its memory is free. */
export async function uploadMemory(machine: Machine): Promise<UploadMemory | null> {
  const adapters = [...(await findAdapters()).values()];
  const gpu = adapters.find(({ software }) => !software);
  if (gpu === undefined) return null;
  const device = await requestDevice(gpu.adapter);
  try {
    return await measureUploads(device, async () =>
      mergedGpus(await nvidiaGpus(machine), await pciGpus(machine)),
    );
  } finally {
    device.destroy();
  }
}

/** What written upload buffers of `device` take of the free memory of `gpus`; null if nobody tells. */
export async function measureUploads(device: GPUDevice, gpus: Gpus): Promise<UploadMemory | null> {
  const { MAP_WRITE, COPY_SRC, COPY_DST } = GPUBufferUsage;
  const into = device.createBuffer({ size: BUFFER_BYTES, usage: COPY_DST });
  await workDone(device); // what a device takes for itself
  const before = await gpus();
  const buffers = Array.from({ length: BUFFERS }, () => {
    const usage = MAP_WRITE | COPY_SRC;
    const buffer = device.createBuffer({ size: BUFFER_BYTES, usage, mappedAtCreation: true });
    new Uint8Array(buffer.getMappedRange()).fill(1); // memory that nobody has written may have no pages yet
    buffer.unmap();
    return buffer;
  });
  const encoder = device.createCommandEncoder();
  for (const buffer of buffers) encoder.copyBufferToBuffer(buffer, 0, into, 0, BUFFER_BYTES);
  device.queue.submit([encoder.finish()]);
  await workDone(device);
  const inVramBytes = taken(before ?? [], (await gpus()) ?? []);
  for (const buffer of [into, ...buffers]) buffer.destroy();
  return inVramBytes === null ? null : { bytes: BUFFERS * BUFFER_BYTES, inVramBytes };
}

/** Of the GPU that has lost the most free memory. */
function taken(before: readonly GpuReport[], after: readonly GpuReport[]): number | null {
  const losses = before.flatMap(({ freeBytes }, i) => {
    const left = after[i]?.freeBytes ?? null;
    return freeBytes === null || left === null ? [] : [Math.max(0, freeBytes - left)];
  });
  return losses.length === 0 ? null : Math.max(...losses);
}
