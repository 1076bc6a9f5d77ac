// Error codes: the page that lists them, the code that throws them, and their type are one list.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

import { ERROR_CODES } from '#src/checks/errors.js';
import { BackendLoadError } from '#src/engines/portable/start.js';
import { TensorFlowLoadError } from '#src/engines/tensorflow/load-error.js';
import { GpuError, type GpuErrorKind } from '#src/engines/webgpu/gpu-error.js';
import { HostBuffers } from '#src/engines/webgpu/host-memory/host-buffers.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

test('docs/errors.md has one row for each code, in the order of the list', () => {
  const page = readFileSync(join(root, 'docs/errors.md'), 'utf8');
  const rows = [...page.matchAll(/^\| `([A-Z_]+)`\s*\|/gm)].map(([, code]) => code);
  expect(rows).toEqual([...ERROR_CODES]);
});

test('each code is thrown somewhere in src, and no list has it twice', () => {
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('checks/errors.ts'))
    .map((file) => readFileSync(join(root, 'src', file), 'utf8'));
  const unused = ERROR_CODES.filter((code) => !sources.some((text) => text.includes(`'${code}'`)));
  expect(unused).toEqual([]);
  expect(new Set(ERROR_CODES).size).toBe(ERROR_CODES.length);
});

describe('the code follows from what failed', () => {
  test.each<[GpuErrorKind, string]>([
    ['validation', 'DEVICE_FAILED'],
    ['internal', 'DEVICE_FAILED'],
    ['limit', 'UNSUPPORTED'],
    ['out-of-memory', 'OUT_OF_MEMORY'],
    ['lost', 'DEVICE_LOST'],
  ])('a GpuError of the kind %s is %s', (kind, code) => {
    expect(new GpuError(kind, 'why')).toMatchObject({ code, kind, details: { kind } });
  });

  test('a system without host memory is OUT_OF_MEMORY, and the bytes in use stay 0', () => {
    const createBuffer = () => {
      throw new RangeError('no room');
    };
    const buffers = new HostBuffers({ createBuffer } as unknown as GPUDevice);
    expect(() => buffers.create(2048, 0)).toThrow(
      expect.objectContaining({
        code: 'OUT_OF_MEMORY',
        details: { neededBytes: 2048, usedBytes: 0 },
      }),
    );
    expect(buffers.bytes).toBe(0);
  });

  test('a package that cannot be loaded is PACKAGE_MISSING; one that finds no GPU is UNSUPPORTED', () => {
    expect(new BackendLoadError('It is not installed.', 'npm install it').code).toBe(
      'PACKAGE_MISSING',
    );
    const codeOf = (problem: 'no-addon' | 'no-gpu') =>
      new TensorFlowLoadError(problem, 'tfjs-node', 'why').code;
    expect([codeOf('no-addon'), codeOf('no-gpu')]).toEqual(['PACKAGE_MISSING', 'UNSUPPORTED']);
  });
});
