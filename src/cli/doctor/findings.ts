// What is wrong with this machine, and how to fix it: plain rules on the results of the probes.

import { formatBytes } from '../../checks/quantities.js';
import type { DoctorReport, Finding } from './report.js';

const LEVELS: readonly Finding['level'][] = ['error', 'warning', 'note'];
const WEBGPU_PACKAGES = ['webgpu', '@tensorflow/tfjs-backend-webgpu'];
const INSTALL_WEBGPU = 'npm install webgpu @tensorflow/tfjs-backend-webgpu@4.22.0';

/** The worst come first. */
export function findingsOf(facts: DoctorReport): Finding[] {
  const found = [
    ...onTraining(facts),
    ...onVulkan(facts), // the cause of a missing GPU comes before it
    ...onGpu(facts),
    ...onPackages(facts),
    ...onTensorflow(facts),
    ...onHost(facts),
    ...onFailures(facts),
  ];
  return LEVELS.flatMap((level) => found.filter((one) => one.level === level));
}

function onTraining({ engines, trains, pick }: DoctorReport): Finding[] {
  const working = engines.filter(({ works }) => works);
  if (!trains) {
    const what = 'No engine trains: each failed, as listed above.';
    return [error(what, 'npm install @tensorflow/tfjs-backend-wasm @tensorflow/tfjs-backend-cpu')];
  }
  const found: Finding[] = [];
  if (pick.engine === null) {
    const [first] = working;
    const what = '--engine auto picks no engine that trains.';
    found.push(warning(what, `Use --engine ${first?.name}`));
  }
  for (const { name, works, reason, remedy } of engines) {
    if (!works && (name === 'wasm' || name === 'cpu')) {
      found.push(note(`${name} does not train: ${sentence(reason)}`, remedy));
    }
  }
  return found;
}

function onGpu(facts: DoctorReport): Finding[] {
  const { adapters, gpus, engines, failures } = facts;
  if (missingForWebgpu(facts).length > 0) return []; // reported with the packages
  if (adapters === null) {
    const reason = failures.find(({ probe }) => probe === 'adapters')?.reason ?? null;
    const what = `WebGPU could not be asked for its adapters: ${sentence(reason)}`;
    const remedy =
      "Update the GPU's driver and the package webgpu: one of them crashes, hangs or is incomplete";
    return [warning(what, remedy)];
  }
  const hardware = adapters.filter(({ software }) => !software);
  if (hardware.length > 0) {
    const webgpu = engines.find(({ name }) => name === 'webgpu');
    if (webgpu === undefined || webgpu.works) return onUploads(facts);
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
    const what = `WebGPU does not find the GPU of this machine (${names}).${only}`;
    return [warning(what, DRIVER_REMEDY)];
  }
  const onBus = gpus === null ? '' : ', and none of NVIDIA, AMD or Intel is on the PCI bus';
  const what = `No GPU: WebGPU finds none${onBus}.${only}`;
  return [warning(what, NO_GPU_REMEDY)];
}

function onUploads({ uploadMemory }: DoctorReport): Finding[] {
  if (uploadMemory === null) return [];
  const { bytes, inVramBytes } = uploadMemory;
  if (inVramBytes < bytes / 2) return [];
  const what =
    `Buffers that the host uploads from are in VRAM here: ${formatBytes(bytes)} of them took ` +
    `${formatBytes(inVramBytes)}. No budget counts them.`;
  const remedy =
    "Moments on the host have half of their bytes there, slow weights at most 5 %: use moments: 'device:q8', or a " +
    'vramBudget that leaves room for that';
  return [note(what, remedy)];
}

const DRIVER_REMEDY =
  "Install its driver and the Vulkan loader (libvulkan1); in a container mount the host's driver " +
  '(with NVIDIA: --gpus all and NVIDIA_DRIVER_CAPABILITIES=all)';
/** Dawn's words for a driver without something that WebGPU needs. */
const LACKS = /\brequired\b|\bis not supported\b|\btoo old\b/;
const UPDATE_DRIVER =
  'Update the driver of the GPU (on Linux without one: Mesa, mesa-vulkan-drivers)';
const NO_GPU_REMEDY =
  'If the machine has one: install its driver, and give it to the virtual machine or container ' +
  '(docker run --gpus all). Without one, training runs on the CPU';

function onVulkan({ vulkan, adapters, adapterMessages, gpus }: DoctorReport): Finding[] {
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
  const said = adapterMessages
    .slice(0, 2)
    .map((line) => line.replace(/^[-\s]+/, '').replace(/[.;\s]+$/, ''))
    .join('; ');
  if (adapterMessages.some((line) => LACKS.test(line))) {
    const what = `WebGPU refuses the Vulkan driver that is here: ${said}.`;
    return [warning(what, UPDATE_DRIVER)];
  }
  return [warning(`Vulkan finds no driver that works: ${said}.`, 'Install the driver of the GPU')];
}

function onPackages(facts: DoctorReport): Finding[] {
  const { packages, gpus } = facts;
  const missing = missingForWebgpu(facts);
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
    const what = `${name} is ${version}, but @tensorflow/tfjs-core ${core}: these versions do not work together.`;
    found.push(warning(what, `npm install ${name}@${core}`));
  }
  return found;
}

function onTensorflow({ tensorflow, engines }: DoctorReport): Finding[] {
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

function onHost({ host }: DoctorReport): Finding[] {
  if (host === null || host.cores > 1) return [];
  const what = 'One core: the threads that blend slow weights share it with training.';
  return [note(what, 'Use --workers 0')];
}

/** A failure of `adapters` is reported with the GPU. */
function onFailures({ failures }: DoctorReport): Finding[] {
  return failures
    .filter(({ probe }) => probe !== 'adapters')
    .map(({ probe, reason }) =>
      note(`Unknown, because the probe '${probe}' failed: ${sentence(reason)}`, null),
    );
}

/** The package `webgpu` is not needed where the runtime has a WebGPU of its own, as Deno does. */
function missingForWebgpu({ packages, adapters }: DoctorReport): string[] {
  const missing = WEBGPU_PACKAGES.filter((name) => isMissing(packages, name));
  return adapters === null ? missing : missing.filter((name) => name !== 'webgpu');
}

function isMissing(packages: DoctorReport['packages'], name: string): boolean {
  return packages?.some((one) => one.name === name && one.version === null) ?? false;
}

function sentence(reason: string | null): string {
  return `${(reason ?? 'unknown').replace(/\.$/, '')}.`;
}

type MakeFinding = (what: string, remedy: string | null) => Finding;
const error: MakeFinding = (what, remedy) => ({ level: 'error', what, remedy });
const warning: MakeFinding = (what, remedy) => ({ level: 'warning', what, remedy });
const note: MakeFinding = (what, remedy) => ({ level: 'note', what, remedy });
