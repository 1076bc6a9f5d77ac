// `slowlane doctor` as a process, in environments with and without a Vulkan driver.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

import type { DoctorReport } from '#src/cli/doctor/report.js';

import { slowlane, temporaryFolder } from '../run-cli.js';
import { hasSwiftShader, swiftShaderEnvironment } from '../../engines/webgpu/swiftshader.js';

const NO_DRIVER = { VK_DRIVER_FILES: undefined, VK_ICD_FILENAMES: undefined };

async function reportIn(env: Readonly<Record<string, string | undefined>>): Promise<DoctorReport> {
  const { code, stdout } = await slowlane(['doctor', '--json', '--timeout', '150'], { env });
  expect(code).toBe(0); // cpu and wasm always train
  return JSON.parse(stdout) as DoctorReport;
}

const works = ({ engines }: DoctorReport, name: string) =>
  engines.find((engine) => engine.name === name)?.works;

test('--help says what the exit code means', async () => {
  const { code, stdout } = await slowlane(['doctor', '--help']);
  expect(code).toBe(0);
  expect(stdout).toContain('Exit code 0: at least one engine trains; 1: none does');
});

test('a time-out that is no whole number is refused', async () => {
  const { code, stderr } = await slowlane(['doctor', '--timeout', 'soon']);
  expect(code).toBe(2);
  expect(stderr).toContain('It must be a whole number ≥ 1');
});

/** WebGPU finds its drivers in another way on other systems. */
describe.skipIf(!hasSwiftShader)('slowlane doctor', () => {
  test('without Vulkan: the missing GPU, the loader, and what trains', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'libvulkan.so.1'), ''); // in front of that of the system, if it has one
    const env = { ...NO_DRIVER, LD_LIBRARY_PATH: folder };
    const { code, stdout } = await slowlane(['doctor', '--timeout', '150'], { env });
    expect(stdout).toMatch(/^WebGPU adapters\n {2}none\n/m);
    expect(stdout).toMatch(/^ {2}wasm +trains$/m);
    expect(stdout).toMatch(/copy in host memory +│ +[\d.,]+ │/);
    const [, verdict = ''] = stdout.split('\nVerdict\n');
    expect(verdict).toMatch(/--engine auto takes wasm(; for convolutions tensorflow)?\./);
    expect(verdict).toContain("The loader of Vulkan, WebGPU's way to a GPU, can't be loaded");
    expect(verdict).toContain('→ On Debian and Ubuntu: apt-get install libvulkan1');
    expect(verdict).toContain('WebGPU');
    expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([]);
    expect(code).toBe(0);
  });

  test('with SwiftShader: its adapter, marked as software, which auto leaves alone', async () => {
    const report = await reportIn(swiftShaderEnvironment());
    expect(report).toMatchObject({ schema: 'slowlane-doctor', schemaVersion: 2, failures: [] });
    expect(report.adapters).toEqual([
      expect.objectContaining({
        name: expect.stringContaining('swiftshader'),
        software: true,
        driver: expect.stringContaining('SwiftShader'),
        limits: expect.objectContaining({ maxBufferSize: expect.any(Number) }),
      }),
    ]);
    expect(works(report, 'webgpu')).toBe(true);
    expect(report.pick.engine).toBe('wasm');
    expect(report.vulkan?.drivers.map(({ problem }) => problem)).toEqual([null]);
    expect(report.speeds.map(({ what, software }) => [what, software])).toEqual([
      ['copy in host memory', false],
      ['to a worker and back', false],
      ['upload to the device', true],
      ['download from the device', true],
    ]);
    for (const { gbPerSecond } of report.speeds) expect(gbPerSecond).toBeGreaterThan(0);
    expect(report.gpuWaitMs).toBeGreaterThan(0);
    expect(report.findings[0]?.what).toContain('which is software');
  });

  test('with VK_DRIVER_FILES that are broken: each is named, with what to do', async () => {
    const folder = temporaryFolder();
    const [gone, text, icd] = ['gone', 'text', 'icd'].map((name) => join(folder, `${name}.json`));
    writeFileSync(text!, 'nonsense');
    const library_path = './libgone.so';
    writeFileSync(
      icd!,
      JSON.stringify({ file_format_version: '1.0.0', ICD: { library_path, api_version: '1.0.5' } }),
    );
    const VK_DRIVER_FILES = [gone, text, icd].join(':');
    const report = await reportIn({ ...swiftShaderEnvironment(), VK_DRIVER_FILES });
    expect(report.adapters).toEqual([]);
    expect(works(report, 'webgpu')).toBe(false);
    expect(report.pick.engine).toBe('wasm');
    const remedy = expect.stringContaining('Point VK_DRIVER_FILES at the ICD file of a driver');
    expect(report.findings.slice(0, 3)).toEqual([
      { level: 'warning', what: `VK_DRIVER_FILES: ${gone} doesn't exist.`, remedy },
      { level: 'warning', what: expect.stringContaining(`${text} is not JSON`), remedy },
      {
        level: 'warning',
        what: expect.stringContaining(`${join(folder, 'libgone.so')}, which doesn't exist`),
        remedy,
      },
    ]);
    expect(report.adapterMessages.join()).toContain(gone);
  });
});
