// The GPUs that the system reports, whether or not WebGPU finds them, with their memory if it is known. The sources are
// nvidia-smi and Linux' folders of PCI devices.

import { join } from 'node:path';

import { askNvidia, bytesOf } from '../../engines/tensorflow/nvidia.js';
import { isNotFound, reasonOf } from '../terminal/cli-error.js';
import type { GpuReport } from './report.js';
import type { Machine } from './machine.js';

const NVIDIA = '0x10de';
const VENDORS: Readonly<Record<string, string>> = {
  [NVIDIA]: 'NVIDIA',
  '0x1002': 'AMD',
  '0x8086': 'Intel',
};
/** Display controllers, and the processing accelerators that big cards say they are. */
const CLASSES = /^0x(03|12)/;
const DEVICES = '/sys/bus/pci/devices';

/** Empty without nvidia-smi. Throws if nvidia-smi fails. */
export async function nvidiaGpus({ run }: Machine): Promise<GpuReport[]> {
  try {
    const rows = await askNvidia('--query-gpu=name,driver_version,memory.total,memory.free', run);
    return rows.map(([name = 'unnamed', driver = '', total, free]) => ({
      source: 'nvidia-smi',
      name,
      driver: driver === '' ? null : driver,
      totalBytes: bytesOf(total),
      freeBytes: bytesOf(free),
    }));
  } catch (error) {
    if (isNotFound(error)) return [];
    throw new Error(saidBy(error), { cause: error });
  }
}

/** nvidia-smi prints on stdout why it can't reach its driver. */
function saidBy(error: unknown): string {
  const stdout = (error as { stdout?: unknown }).stdout;
  const said = typeof stdout === 'string' ? stdout.trim() : '';
  return (said === '' ? reasonOf(error) : said).split('\n', 1)[0] ?? '';
}

/** GPUs of the vendors above. null where they are not known: outside of Linux, and without sysfs. */
export async function pciGpus(machine: Machine): Promise<GpuReport[] | null> {
  const slots = machine.platform === 'linux' ? await machine.list(DEVICES) : [];
  if (slots.length === 0) return null;
  const found: GpuReport[] = [];
  for (const slot of slots.toSorted()) {
    const gpu = await gpuIn(machine, slot);
    if (gpu !== null) found.push(gpu);
  }
  return found;
}

async function gpuIn(machine: Machine, slot: string): Promise<GpuReport | null> {
  const folder = join(DEVICES, slot);
  const read = async (file: string): Promise<string> => {
    try {
      return (await machine.readText(join(folder, file))).trim();
    } catch {
      return '';
    }
  };
  const vendor = VENDORS[await read('vendor')];
  if (vendor === undefined || !CLASSES.test(await read('class'))) return null;
  const product = await read('product_name'); // a few AMD cards
  const total = numberIn(await read('mem_info_vram_total'));
  const used = numberIn(await read('mem_info_vram_used'));
  return {
    source: 'sysfs',
    name: `${vendor} ${product === '' ? `GPU ${await read('device')}` : product} at ${slot}`,
    driver: /^DRIVER=(.+)$/m.exec(await read('uevent'))?.[1] ?? null,
    totalBytes: total,
    freeBytes: total === null || used === null ? null : total - used,
  };
}

function numberIn(text: string): number | null {
  return /^\d+$/.test(text) ? Number(text) : null;
}

/** Each GPU once: nvidia-smi reports more than the bus. null if neither source reports anything. */
export function mergedGpus(
  nvidia: readonly GpuReport[] | null,
  onBus: readonly GpuReport[] | null,
): GpuReport[] | null {
  const known = nvidia ?? [];
  if (onBus === null) return known.length === 0 ? null : [...known];
  return [
    ...known,
    ...onBus.filter(({ name }) => known.length === 0 || !name.startsWith('NVIDIA')),
  ];
}
