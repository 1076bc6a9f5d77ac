// The report on machines that are made up: probes answer as a test says.

import { describe, expect, test } from 'vitest';

import { doctorText } from '#src/cli/doctor/doctor-text.js';
import {
  examine,
  type ProbeEnd,
  type ProbeResults,
  type StartProbe,
} from '#src/cli/doctor/doctor.js';
import type { AdapterReport, DoctorReport, GpuReport } from '#src/cli/doctor/report.js';
import type { EngineRequest } from '#src/cli/doctor/try-engine.js';

type Answers = { readonly [Name in keyof ProbeResults]?: ProbeResults[Name] | Error };

interface MadeUp extends Answers {
  /** Those that train, in the order in which `auto` takes them; others fail. */
  readonly trains: readonly string[];
  readonly output?: string;
}

const LIMITS = {
  maxBufferSize: 2 ** 30,
  maxStorageBufferBindingSize: 2 ** 30,
  maxComputeWorkgroupStorageSize: 2 ** 15,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupsPerDimension: 65_535,
};
const ADAPTER = { vendor: 'v', architecture: 'a', driver: 'd 1', limits: LIMITS };
const CARD: AdapterReport = { ...ADAPTER, name: 'nvidia RTX 1', software: false };
const SOFTWARE: AdapterReport = { ...ADAPTER, name: 'swiftshader', software: true };
const GPU: GpuReport = {
  source: 'nvidia-smi',
  name: 'NVIDIA RTX 1',
  driver: '555',
  totalBytes: 2 ** 33,
  freeBytes: 2 ** 32,
};
const packages = [
  { name: '@tensorflow/tfjs-core', version: '4.22.0' },
  { name: '@tensorflow/tfjs-backend-webgpu', version: '4.22.0' },
  { name: 'webgpu', version: '0.6.2' },
];
const NO_TENSORFLOW = {
  name: '@tensorflow/tfjs-node',
  version: null,
  folder: null,
  binding: null,
  libraries: [],
  libtensorflow: null,
  problem: null,
  remedy: null,
};
const USUAL: Answers = {
  host: { cpu: 'made up', cores: 4, ramBytes: 2 ** 34, availableBytes: 2 ** 33 },
  packages,
  'nvidia-smi': [],
  'PCI devices': [],
  'Vulkan drivers': { variable: null, drivers: [] },
  'tfjs-node': [NO_TENSORFLOW],
  adapters: [],
  'host speeds': [{ what: 'copy', gbPerSecond: 10, software: false, bytes: 2 ** 20 }],
  'device speeds': [{ what: 'upload', gbPerSecond: 3, software: true, bytes: 2 ** 20 }],
  'GPU wait': 0.125,
};

function reportOn({ trains, output = '', ...answers }: MadeUp): Promise<DoctorReport> {
  const probe = async (name: keyof ProbeResults, request: unknown) => {
    const answer =
      name === 'engine'
        ? engineAnswer(trains, request as EngineRequest)
        : { ...USUAL, ...answers }[name];
    const isFailure = answer instanceof Error;
    return {
      result: isFailure ? null : (answer ?? null),
      failed: isFailure ? answer.message : null,
      output: name === 'adapters' ? output : '',
    } as ProbeEnd<never>;
  };
  return examine({
    probe: probe as StartProbe,
    slowlane: '0.1.0',
    runtime: { name: 'Deno', version: '2.9.6', hasPackages: true },
    system: 'linux x64',
  });
}

function engineAnswer(trains: readonly string[], { engine }: EngineRequest) {
  const taken = engine === 'auto' ? trains[0] : trains.find((name) => name === engine);
  if (taken !== undefined) return { startedAs: taken, reason: null, remedy: null };
  return { startedAs: null, reason: `${engine} is broken. Really.`, remedy: `mend ${engine}` };
}

const said = ({ findings }: DoctorReport) =>
  findings.map(({ level, what, remedy }) => `${level}: ${what} → ${remedy}`);

describe('the verdict', () => {
  test('on a GPU that works is its name, and nothing is wrong', async () => {
    const report = await reportOn({
      trains: ['webgpu', 'wasm', 'cpu'],
      adapters: [CARD],
      'nvidia-smi': [GPU],
    });
    expect(report).toMatchObject({ trains: true, pick: { engine: 'webgpu' }, findings: [] });
    const text = doctorText(report);
    expect(text).toContain('memory 8 GiB, free 4 GiB');
    expect(text).toContain('\n  a wait for the GPU takes 0.125 ms\n');
    expect(text).toMatch(/^slowlane 0\.1\.0, Deno 2\.9\.6, linux x64\n/);
    expect(text).toContain('--engine auto takes webgpu.');
  });

  test('on a GPU whose upload buffers are in VRAM says so, and only there', async () => {
    const bytes = 2 ** 28;
    const reportFor = (inVramBytes: number) =>
      reportOn({
        trains: ['webgpu', 'wasm', 'cpu'],
        adapters: [CARD],
        'upload memory': { bytes, inVramBytes },
      });
    const report = await reportFor(bytes);
    expect(said(report)).toEqual([
      expect.stringMatching(
        /^note: Buffers that the host uploads from are in VRAM here: 256 MiB of them took 256 MiB\..*→ Moments/,
      ),
    ]);
    expect(doctorText(report)).toContain('\n  256 MiB of upload buffers took 256 MiB of VRAM\n');
    const other = await reportFor(2 ** 21); // another program's
    expect(said(other)).toEqual([]);
    expect(doctorText(other)).toContain('took 2 MiB of VRAM');
    expect((await reportOn({ trains: ['wasm'], adapters: [SOFTWARE] })).uploadMemory).toBeNull();
  });

  test('without any engine is an error with a remedy', async () => {
    const report = await reportOn({ trains: [] });
    expect(report).toMatchObject({ trains: false, pick: { engine: null } });
    expect(said(report)[0]).toMatch(/^error: No engine trains.*→ npm install @tensorflow/);
    expect(doctorText(report)).toContain('Training is not possible here.');
  });

  test('on a software adapter says so, and that there is no GPU', async () => {
    const report = await reportOn({ trains: ['wasm', 'cpu'], adapters: [SOFTWARE] });
    expect(said(report)[0]).toMatch(
      /^warning: No GPU: .* on the PCI bus\. Its only adapter is 'swiftshader', which is software/,
    );
    expect(doctorText(report)).toMatch(/upload +│ +3\.00 │ +1 MiB │ software/);
  });

  test('where nobody looked at the bus claims nothing of it', async () => {
    const report = await reportOn({ trains: ['wasm', 'cpu'], 'PCI devices': null });
    expect(report.gpus).toBeNull();
    expect(said(report)[0]).toMatch(/^warning: No GPU: WebGPU finds none\. →/);
  });

  test('names a GPU that is there but that WebGPU does not find', async () => {
    const report = await reportOn({ trains: ['wasm', 'cpu'], 'nvidia-smi': [GPU] });
    expect(said(report)[0]).toMatch(
      /does not find the GPU of this machine \(NVIDIA RTX 1\).*→ Install/,
    );
  });

  test('says why a GPU that WebGPU finds does not train', async () => {
    const report = await reportOn({ trains: ['wasm', 'cpu'], adapters: [CARD] });
    expect(said(report)[0]).toContain('does not train on nvidia RTX 1: webgpu is broken. Really.');
  });

  test('has the missing loader of Vulkan, and the broken driver before the missing GPU', async () => {
    const problem = "doesn't exist";
    const drivers = [{ file: '/gone.json', library: null, problem, remedy: 'Point it elsewhere' }];
    const report = await reportOn({
      trains: ['wasm', 'cpu'],
      'Vulkan drivers': { variable: 'VK_DRIVER_FILES', drivers },
      output: "Warning: Couldn't load Vulkan: libvulkan.so.1: not there\n    at operator() (x:1)\n",
    });
    expect(report.adapterMessages).toEqual(["Couldn't load Vulkan: libvulkan.so.1: not there"]);
    expect(said(report)).toEqual([
      "warning: VK_DRIVER_FILES: /gone.json doesn't exist. → Point it elsewhere",
      expect.stringMatching(/^warning: The loader of Vulkan.*libvulkan.*→.*apt-get install/),
      expect.stringMatching(/^warning: No GPU/),
    ]);
  });

  test('says to update a driver that WebGPU refuses, and joins what was said', async () => {
    const report = await reportOn({
      trains: ['wasm', 'cpu'],
      output:
        'Warning: Vulkan shaderUniform*ArrayDynamicIndexing required.\n    at Initialize (x:1)\n' +
        ' - While initializing the adapter of "llvmpipe".\n',
    });
    expect(said(report)[0]).toBe(
      'warning: WebGPU refuses the Vulkan driver that is here: Vulkan ' +
        'shaderUniform*ArrayDynamicIndexing required; While initializing the adapter of "llvmpipe". → Update the ' +
        'driver of the GPU (on Linux without one: Mesa, mesa-vulkan-drivers)',
    );
  });

  test('says to install a driver where WebGPU finds none that works', async () => {
    const output = 'Warning: vkEnumeratePhysicalDevices: VK_ERROR_INITIALIZATION_FAILED\n';
    const report = await reportOn({ trains: ['wasm', 'cpu'], output });
    expect(said(report)[0]).toBe(
      'warning: Vulkan finds no driver that works: vkEnumeratePhysicalDevices: VK_ERROR_INITIALIZATION_FAILED. → ' +
        'Install the driver of the GPU',
    );
  });

  test("does not miss the package webgpu where the runtime's own finds adapters", async () => {
    const own = packages.map((one) => (one.name === 'webgpu' ? { ...one, version: null } : one));
    expect(own).toContainEqual({ name: 'webgpu', version: null });
    const report = await reportOn({
      trains: ['webgpu', 'wasm', 'cpu'],
      adapters: [CARD],
      packages: own,
    });
    expect(report.findings).toEqual([]);
  });

  test('tells what to install for WebGPU, and versions that do not fit together', async () => {
    const report = await reportOn({
      trains: ['wasm', 'cpu'],
      packages: [
        { name: '@tensorflow/tfjs-core', version: '4.22.0' },
        { name: '@tensorflow/tfjs-backend-wasm', version: '4.20.0' },
        { name: 'webgpu', version: null },
      ],
      adapters: new Error('no package'),
    });
    expect(said(report)).toEqual([
      expect.stringMatching(
        /^warning: .*backend-wasm is 4\.20\.0.*→ npm install .*-wasm@4\.22\.0$/,
      ),
      expect.stringMatching(/^note: webgpu is not installed.*→ npm install webgpu @tensorflow/),
    ]);
  });

  test("has what keeps an installed tfjs-node from loading, and else the engine's own reason", async () => {
    const installed = { ...NO_TENSORFLOW, version: '4.22.0', libraries: ['libtensorflow.so'] };
    const broken = { ...installed, problem: 'it was not built', remedy: 'npm rebuild' };
    const adapters = [CARD];
    const trains = ['webgpu', 'wasm', 'cpu'];
    expect(said(await reportOn({ trains, adapters, 'tfjs-node': [broken] }))).toEqual([
      "warning: @tensorflow/tfjs-node can't load: it was not built. → npm rebuild",
    ]);
    expect(said(await reportOn({ trains, adapters, 'tfjs-node': [installed] }))).toEqual([
      'warning: tfjs-node does not train: tensorflow is broken. Really. → mend tensorflow',
    ]);
  });
});

test('probes that fail cost their own lines: the report is whole, and says which', async () => {
  const crash = new Error('crashed: signal SIGSEGV');
  const names = Object.keys(USUAL) as (keyof Answers)[];
  const report = await reportOn({
    ...Object.fromEntries(names.map((name) => [name, crash])),
    trains: ['cpu'],
  });
  expect(report).toMatchObject({ trains: true, host: null, adapters: null, gpus: null });
  expect(report.failures.map(({ probe }) => probe).toSorted()).toEqual(
    names.filter((name) => name !== 'device speeds' && name !== 'GPU wait').toSorted(), // without adapters not asked
  );
  const text = doctorText(report);
  expect(text).toContain("Unknown, because the probe 'host' failed: crashed: signal SIGSEGV.");
  expect(text).toContain('WebGPU could not be asked for its adapters: crashed');
});

test('the text is as narrow as the terminal, or 80 columns', async () => {
  const report = await reportOn({ trains: ['wasm', 'cpu'], adapters: [SOFTWARE] });
  for (const columns of [80, 50]) {
    const lines = doctorText(report, columns).split('\n');
    expect(lines.filter((line) => line.length > columns)).toEqual([]);
  }
});
