// A mapping that the device refuses, with a stand-in for the device: `mapAsync` rejects with a bare DOMException.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { SlowlaneError } from 'slowlane';
import { DeviceErrors } from '#src/engines/webgpu/device-errors.js';
import type { MappedPair } from '#src/engines/webgpu/host-memory/mapped-pair.js';
import { Background } from '#src/engines/webgpu/host-memory/background.js';
import { copyBack } from '#src/engines/webgpu/host-memory/readback.js';
import { Slices } from '#src/engines/webgpu/host-memory/slices.js';
import { entry } from '../../built.js';

const device = {
  lost: new Promise(() => {}),
  addEventListener() {},
  pushErrorScope() {},
  popErrorScope: async () => null,
} as unknown as GPUDevice;

const refusal = new DOMException('Buffer was destroyed', 'AbortError');

const failure = {
  name: 'GpuInternalError',
  code: 'DEVICE_FAILED',
  message: expect.stringMatching(/give a buffer back to the host.*Buffer was destroyed/) as string,
  cause: refusal,
};

test('a read of a tensor or of a copy rejects with DEVICE_FAILED', async () => {
  const waiting = new DeviceErrors(device).orLost(Promise.reject(refusal));
  await expect(waiting).rejects.toMatchObject(failure);
  await expect(waiting).rejects.toBeInstanceOf(SlowlaneError);
});

test('moments that do not come back reject with it, too', async () => {
  const pair = { map: () => Promise.reject(refusal) } as unknown as MappedPair;
  const host = {
    errors: new DeviceErrors(device),
    slices: Slices.beside(),
    background: new Background(),
  };
  await expect(copyBack([pair], Promise.resolve(), host)).rejects.toMatchObject(failure);
});

test('each mapping of the engine goes one of these two ways', () => {
  const folder = entry('src/engines/webgpu');
  const calls = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) =>
      readFileSync(join(folder, file), 'utf8')
        .split('\n')
        .filter((line) => line.includes('GPUMapMode.') && !line.includes('errors.orLost('))
        .map(() => file),
    );
  // MappedPair.map(), whose callers name the error: upload and download.
  const pair = join('host-memory', 'mapped-pair.ts');
  expect(calls).toEqual([pair, pair]);
});
