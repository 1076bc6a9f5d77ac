// What is wrong with this machine, and what to do: plain rules on what the probes told.

import type { DoctorReport, Finding } from './report.js';

export type Facts = Omit<DoctorReport, 'findings'>;

const LEVELS: readonly Finding['level'][] = ['error', 'warning', 'note'];
const WEBGPU_PACKAGES = ['webgpu', '@tensorflow/tfjs-backend-webgpu'];
const INSTALL_WEBGPU = 'npm install webgpu @tensorflow/tfjs-backend-webgpu@4.22.0';

/** The worst first. */
export function findingsOf(facts: Facts): Finding[] {
  const found = [
    ...onTraining(facts),
    ...onVulkan(facts), // first the cause
    ...onGpu(facts),
    ...onPackages(facts),
    ...onTensorflow(facts),
    ...onHost(facts),
    ...onFailures(facts),
  ];
  return LEVELS.flatMap((level) => found.filter((one) => one.level === level));
}

function onTraining({ engines, trains, pick }: Facts): Finding[] {
  const working = engines.filter(({ works }) => works);
  if (!trains) {
    const what = 'No engine trains: each failed, as said above.';
    return [error(what, 'npm install @tensorflow/tfjs-backend-wasm @tensorflow/tfjs-backend-cpu')];
  }
  const found: Finding[] = [];
  if (pick.engine === null) {
    const [first] = working;
    const what = '--engine auto does not come to a pick that trains.';
    found.push(warning(what, `Use --engine ${first?.name}`));
  }
  for (const { name, works, reason, remedy } of engines) {
    if (!works && (name === 'wasm' || name === 'cpu')) {
      found.push(note(`${name} does not train: ${sentence(reason)}`, remedy));
    }
  }
  return found;
}

function onGpu(facts: Facts): Finding[] {
  const { adapters, gpus, engines, packages, failures } = facts;
  if (WEBGPU_PACKAGES.some((name) => isMissing(packages, name))) return []; // said with the packages
  if (adapters === null) {
    const reason = failures.find(({ probe }) => probe === 'adapters')?.reason ?? null;
    const what = `WebGPU could not be asked for its adapters: ${sentence(reason)}`;
    const remedy =
      "The GPU's driver crashes or hangs, or the package webgpu is not whole: update them";
    return [warning(what, remedy)];
  }
  const hardware = adapters.filter(({ software }) => !software);
  if (hardware.length > 0) {
    const webgpu = engines.find(({ name }) => name === 'webgpu');
    if (webgpu === undefined || webgpu.works) return [];
    const what = `WebGPU does not train on ${hardware[0]?.name}: ${sentence(webgpu.reason)}`;
    return [warning(what, "Update the GPU's driver")];
  }
  const [software] = adapters;
  const only =
    software === undefined
      ? ''
      : ` Its only adapter is '${software.name}', which is software: it computes on the CPU. ` +
        `That is good for tests and for counting bytes, not for training.`;
  if (gpus !== null && gpus.length > 0) {
    const names = gpus.map(({ name }) => name).join(', ');
    const what = `WebGPU does not find the GPU that is there (${names}).${only}`;
    return [warning(what, DRIVER_REMEDY)];
  }
  const onBus = gpus === null ? '' : ', and none of NVIDIA, AMD or Intel is on the PCI bus';
  const what = `No GPU: WebGPU finds none${onBus}.${only}`;
  return [warning(what, NO_GPU_REMEDY)];
}

const DRIVER_REMEDY =
  "Install its driver and the Vulkan loader (libvulkan1); in a container mount the host's driver " +
  '(with NVIDIA: --gpus all and NVIDIA_DRIVER_CAPABILITIES=all)';
const NO_GPU_REMEDY =
  'If the machine has one: install its driver, and give it to the virtual machine or container ' +
  '(docker run --gpus all). Without one, training runs on the CPU';

function onVulkan({ vulkan, adapters, adapterMessages, gpus }: Facts): Finding[] {
  if (vulkan === null) return [];
  const { variable, drivers } = vulkan;
  const found = drivers
    .filter(({ problem }) => problem !== null)
    .map(({ file, problem, remedy }) =>
      warning(`${variable === null ? '' : `${variable}: `}${file} ${problem}.`, remedy),
    );
  const noLoader = adapterMessages.find((line) => line.includes("Couldn't load Vulkan"));
  if (noLoader !== undefined) {
    const level = variable !== null || (gpus?.length ?? 0) > 0 ? 'warning' : 'note';
    const why = noLoader.replace("Couldn't load Vulkan: ", '');
    const what = `The loader of Vulkan, WebGPU's way to a GPU, can't be loaded: ${sentence(why)}`;
    const remedy = 'On Debian and Ubuntu: apt-get install libvulkan1, beside the driver of the GPU';
    return [...found, { level, what, remedy }];
  }
  const isEmpty = adapters?.length === 0;
  if (!isEmpty || found.length > 0 || adapterMessages.length === 0) return found;
  const said = adapterMessages.slice(0, 2).join('; ');
  return [warning(`Vulkan finds no driver that works: ${said}.`, 'Install the driver of the GPU')];
}

function onPackages({ packages, gpus }: Facts): Finding[] {
  const missing = WEBGPU_PACKAGES.filter((name) => isMissing(packages, name));
  const found: Finding[] = [];
  if (missing.length > 0) {
    const what = `${missing.join(' and ')} ${missing.length > 1 ? 'are' : 'is'} not installed: no WebGPU, so no GPU.`;
    found.push(
      (gpus?.length ?? 0) > 0 ? warning(what, INSTALL_WEBGPU) : note(what, INSTALL_WEBGPU),
    );
  }
  const core = packages?.find(({ name }) => name === '@tensorflow/tfjs-core')?.version ?? null;
  for (const { name, version } of packages ?? []) {
    const isPart = name.startsWith('@tensorflow/') && core !== null && version !== null;
    if (!isPart || version === core) continue;
    const what = `${name} is ${version}, but @tensorflow/tfjs-core ${core}: two versions do not fit together.`;
    found.push(warning(what, `npm install ${name}@${core}`));
  }
  return found;
}

function onTensorflow({ tensorflow, engines }: Facts): Finding[] {
  const installed = tensorflow?.filter(({ version }) => version !== null) ?? [];
  const engine = engines.find(({ name }) => name === 'tensorflow');
  if (installed.length === 0 || engine === undefined || engine.works) return [];
  const broken = installed.filter(({ problem }) => problem !== null);
  if (broken.length === 0) {
    return [warning(`tfjs-node does not train: ${sentence(engine.reason)}`, engine.remedy)];
  }
  return broken.map(({ name, problem, remedy }) =>
    warning(`${name} can't load: ${sentence(problem)}`, remedy),
  );
}

function onHost({ host }: Facts): Finding[] {
  if (host === null || host.cores > 1) return [];
  const what = 'One core: the threads that blend slow weights share it with training.';
  return [note(what, 'Use --workers 0')];
}

/** WebGPU's own is said with the GPU. */
function onFailures({ failures }: Facts): Finding[] {
  return failures
    .filter(({ probe }) => probe !== 'adapters')
    .map(({ probe, reason }) => note(`Not found out: ${probe}: ${sentence(reason)}`, null));
}

function isMissing(packages: Facts['packages'], name: string): boolean {
  return packages?.some((one) => one.name === name && one.version === null) ?? false;
}

function sentence(reason: string | null): string {
  return `${(reason ?? 'unknown').replace(/\.$/, '')}.`;
}

function error(what: string, remedy: string | null): Finding {
  return { level: 'error', what, remedy };
}

function warning(what: string, remedy: string | null): Finding {
  return { level: 'warning', what, remedy };
}

function note(what: string, remedy: string | null): Finding {
  return { level: 'note', what, remedy };
}
