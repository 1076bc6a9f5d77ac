// What each probe makes of a machine: files and programs are made up here.

import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { mergedGpus, nvidiaGpus, pciGpus } from '#src/cli/doctor/gpus.js';
import { thisMachine } from '#src/cli/doctor/machine.js';
import { examinePackages } from '#src/cli/doctor/packages.js';
import { probeStarter } from '#src/cli/doctor/doctor.js';
import { examineTensorflow } from '#src/cli/doctor/packages.js';
import { examineVulkan } from '#src/cli/doctor/vulkan.js';

import { temporaryFolder } from '../run-cli.js';
import { machine } from './machines.js';

const MIB = 2 ** 20;

describe('GPUs that nvidia-smi tells', () => {
  const ask = (answer: string | Error) =>
    nvidiaGpus(machine({ programs: { 'nvidia-smi': answer } }));

  test('each with driver and memory', async () => {
    expect(await ask('NVIDIA A, 555.42, 8192, 8000\nNVIDIA B, 555.42, 4096, 1\n')).toEqual([
      {
        source: 'nvidia-smi',
        name: 'NVIDIA A',
        driver: '555.42',
        totalBytes: 8192 * MIB,
        freeBytes: 8000 * MIB,
      },
      {
        source: 'nvidia-smi',
        name: 'NVIDIA B',
        driver: '555.42',
        totalBytes: 4096 * MIB,
        freeBytes: MIB,
      },
    ]);
  });

  test('with null where it does not tell', async () => {
    const [gpu] = await ask('NVIDIA Thor, 580.1, [N/A], [N/A]');
    expect(gpu).toMatchObject({ totalBytes: null, freeBytes: null });
  });

  test('none without nvidia-smi; where it fails, the reason that it prints', async () => {
    expect(await nvidiaGpus(machine({}))).toEqual([]);
    const stdout = "NVIDIA-SMI has failed because it couldn't communicate with the driver.\nMore.";
    const failed = Object.assign(new Error('Command failed: nvidia-smi'), { code: 9, stdout });
    await expect(ask(failed)).rejects.toThrow(/^NVIDIA-SMI has failed .* the driver\.$/);
  });
});

describe('GPUs on the PCI bus', () => {
  const BUS = '/sys/bus/pci/devices';
  const NETWORK = { [`${BUS}/0000:00:01.0/class`]: '0x020000\n' };
  const AMD = {
    [`${BUS}/0000:03:00.0/class`]: '0x030000\n',
    [`${BUS}/0000:03:00.0/vendor`]: '0x1002\n',
    [`${BUS}/0000:03:00.0/device`]: '0x744c\n',
    [`${BUS}/0000:03:00.0/uevent`]: 'DRIVER=amdgpu\nPCI_CLASS=30000\n',
    [`${BUS}/0000:03:00.0/mem_info_vram_total`]: '1000\n',
    [`${BUS}/0000:03:00.0/mem_info_vram_used`]: '300\n',
  };
  const NVIDIA_WITHOUT_DRIVER = {
    [`${BUS}/0000:04:00.0/class`]: '0x030200\n',
    [`${BUS}/0000:04:00.0/vendor`]: '0x10de\n',
    [`${BUS}/0000:04:00.0/device`]: '0x2330\n',
    [`${BUS}/0000:04:00.0/uevent`]: 'PCI_CLASS=30200\n',
  };
  /** The adapter of a virtual machine's screen. */
  const VIRTUAL_SCREEN = {
    [`${BUS}/0000:00:02.0/class`]: '0x030000\n',
    [`${BUS}/0000:00:02.0/vendor`]: '0x1234\n',
  };
  const files = { ...NETWORK, ...AMD, ...NVIDIA_WITHOUT_DRIVER, ...VIRTUAL_SCREEN };

  test('with the memory that the driver of AMD tells; null where nobody does', async () => {
    expect(await pciGpus(machine({ files }))).toEqual([
      {
        source: 'sysfs',
        name: 'AMD GPU 0x744c at 0000:03:00.0',
        driver: 'amdgpu',
        totalBytes: 1000,
        freeBytes: 700, // 1000 − 300
      },
      {
        source: 'sysfs',
        name: 'NVIDIA GPU 0x2330 at 0000:04:00.0',
        driver: null,
        totalBytes: null,
        freeBytes: null,
      },
    ]);
  });

  test('none, where others are; unknown, where the system does not tell', async () => {
    expect(await pciGpus(machine({ files: { ...NETWORK, ...VIRTUAL_SCREEN } }))).toEqual([]);
    expect(await pciGpus(machine({}))).toBeNull();
    expect(await pciGpus(machine({ files, platform: 'darwin' }))).toBeNull();
  });

  test('each GPU once beside nvidia-smi, which knows more', async () => {
    const onBus = await pciGpus(machine({ files }));
    const nvidia = await nvidiaGpus(
      machine({ programs: { 'nvidia-smi': 'NVIDIA H100, 1, 80000, 79000' } }),
    );
    const names = (gpus: ReturnType<typeof mergedGpus>) => gpus?.map(({ name }) => name);
    expect(names(mergedGpus(nvidia, onBus))).toEqual([
      'NVIDIA H100',
      'AMD GPU 0x744c at 0000:03:00.0',
    ]);
    expect(names(mergedGpus([], onBus))).toHaveLength(2);
    expect(mergedGpus([], [])).toEqual([]); // looked, found none
    expect(mergedGpus([], null)).toBeNull(); // nobody can say
  });
});

describe('Vulkan drivers', () => {
  const icd = (library: string) => JSON.stringify({ ICD: { library_path: library } });
  const problemsOf = async (given: Parameters<typeof machine>[0]) => {
    const report = await examineVulkan(machine(given));
    return report?.drivers.map(({ file, problem }) => [file, problem]);
  };

  test('a variable names a file that is missing, no JSON, no ICD, or without its library', async () => {
    const files = {
      '/d/text.json': 'nonsense',
      '/d/null.json': 'null',
      '/d/other.json': '{"ICD":{}}',
      '/d/relative.json': icd('./libgone.so'),
      '/d/absolute.json': icd('/lib/libgone.so'),
      '/d/whole.json': icd('../lib/libdriver.so'),
      '/lib/libdriver.so': '',
    };
    const names = ['none', 'text', 'null', 'other', 'relative', 'absolute', 'whole'];
    const VK_DRIVER_FILES = names.map((name) => `/d/${name}.json`).join(':');
    expect(await problemsOf({ files, env: { VK_DRIVER_FILES } })).toEqual([
      ['/d/none.json', "doesn't exist"],
      ['/d/text.json', expect.stringContaining('is not JSON')],
      ['/d/null.json', expect.stringContaining('names no driver')],
      ['/d/other.json', expect.stringContaining('names no driver')],
      ['/d/relative.json', "names the driver /d/libgone.so, which doesn't exist"],
      ['/d/absolute.json', "names the driver /lib/libgone.so, which doesn't exist"],
      ['/d/whole.json', null],
    ]);
  });

  test('the newer variable is the one that counts, and a folder stands for its files', async () => {
    const files = { '/d/one.json': icd('/lib/one.so'), '/d/readme': '', '/lib/one.so': '' };
    const env = { VK_ICD_FILENAMES: '/none.json', VK_DRIVER_FILES: '/d' };
    expect(await problemsOf({ files, env })).toEqual([['/d/one.json', null]]);
    const report = await examineVulkan(
      machine({ env: { VK_ICD_FILENAMES: '/none.json', VK_DRIVER_FILES: '' } }),
    );
    expect(report).toMatchObject({ variable: 'VK_ICD_FILENAMES' });
    expect(report?.drivers[0]?.remedy).toContain('Point VK_ICD_FILENAMES at');
  });

  test('without a variable those of the system; a bare name is the linker’s to find', async () => {
    const files = {
      '/usr/share/vulkan/icd.d/a.json': icd('libcached.so.1'),
      '/usr/share/vulkan/icd.d/b.json': icd('libgone.so'),
      '/etc/vulkan/icd.d/c.json': icd('libown.so'),
      '/own/libown.so': '',
    };
    const env = { LD_LIBRARY_PATH: '/own', HOME: '/home/me' };
    const programs = { ldconfig: '1 libs\n\tlibcached.so.1 (libc6) => /lib/libcached.so.1\n' };
    const gone = expect.stringContaining('neither in LD_LIBRARY_PATH nor known to ldconfig');
    expect(await problemsOf({ files, env, programs })).toEqual([
      ['/etc/vulkan/icd.d/c.json', null],
      ['/usr/share/vulkan/icd.d/a.json', null],
      ['/usr/share/vulkan/icd.d/b.json', gone],
    ]);
  });

  test('are nobody’s concern on Windows and macOS', async () => {
    expect(await examineVulkan(machine({ platform: 'win32' }))).toBeNull();
    expect(await examineVulkan(machine({ platform: 'darwin' }))).toBeNull();
  });
});

describe('tfjs-node', () => {
  const FOLDER = '/app/node_modules/@tensorflow/tfjs-node';
  const PACKAGE = { [`${FOLDER}/package.json`]: '{"version":"4.22.0"}' };
  const LIBRARIES = {
    [`${FOLDER}/deps/lib/libtensorflow.so.2`]: '',
    [`${FOLDER}/deps/lib/libtensorflow.so.2.9.1`]: '',
    [`${FOLDER}/deps/lib/libtensorflow_framework.so.2`]: '',
  };
  const BINDING = { [`${FOLDER}/lib/napi-v8/tfjs_binding.node`]: '' };
  const look = async (files: Readonly<Record<string, string>>, node = '20.20.2') => {
    const packages = { '@tensorflow/tfjs-node': FOLDER };
    const [gpu, cpu] = await examineTensorflow(machine({ files, packages, node }));
    expect(gpu).toMatchObject({ name: '@tensorflow/tfjs-node-gpu', version: null, problem: null });
    return cpu;
  };

  test('whole: its version and that of libtensorflow, and no problem', async () => {
    expect(await look({ ...PACKAGE, ...LIBRARIES, ...BINDING })).toMatchObject({
      version: '4.22.0',
      binding: `${FOLDER}/lib/napi-v8/tfjs_binding.node`,
      libtensorflow: '2.9.1',
      problem: null,
    });
  });

  test('of unknown name: the version is that of the headers that it was built with', async () => {
    const header = `${FOLDER}/deps/include/tensorflow/core/public/release_version.h`;
    const files = {
      ...PACKAGE,
      ...BINDING,
      [`${FOLDER}/deps/lib/libtensorflow.so.2`]: '',
      [header]:
        '#define TF_MAJOR_VERSION 2\n#define TF_MINOR_VERSION 21\n#define TF_PATCH_VERSION 0\n',
    };
    expect(await look(files)).toMatchObject({ libtensorflow: '2.21.0', problem: null });
  });

  test('with links that lead nowhere', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'deps/lib'), { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{"version":"4.22.0"}');
    symlinkSync(join(folder, 'gone'), join(folder, 'deps/lib/libtensorflow.so.2'));
    const [, found] = await examineTensorflow({
      ...thisMachine(),
      packageFolder: (name) => (name.endsWith('gpu') ? null : folder),
    });
    expect(found?.problem).toBe(
      'deps/lib has links to files that are not there: libtensorflow.so.2',
    );
  });

  test.each([
    ['without libtensorflow', { ...PACKAGE, ...BINDING }, '20.20.2', /libtensorflow is missing/],
    ['without its native module', { ...PACKAGE, ...LIBRARIES }, '20.20.2', /was not built/],
    ['on Node 23', { ...PACKAGE, ...LIBRARIES, ...BINDING }, '23.1.0', /does not run on Node 23/],
  ])('%s: the problem and a remedy', async (_, files, node, problem) => {
    const found = await look(files, node);
    expect(found?.problem).toMatch(problem);
    expect(found?.remedy).not.toBeNull();
  });
});

test('packages: the version of each that is installed', async () => {
  const found = await examinePackages(
    machine({ packages: { webgpu: '/w' }, files: { '/w/package.json': '{"version":"0.6.2"}' } }),
  );
  expect(found.filter(({ version }) => version !== null)).toEqual([
    { name: 'webgpu', version: '0.6.2' },
  ]);
});

test('a probe that does not answer in time is ended, and says so', async () => {
  const probe = probeStarter(1, new AbortController().signal);
  expect(await probe('host', null)).toMatchObject({
    result: null,
    failed: expect.stringMatching(/^timed out: no result after 0\.001 s/),
  });
});
