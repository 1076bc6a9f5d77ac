// What `slowlane doctor --json` prints: plain data, documented in docs/doctor.md. null means
// unknown; no number is guessed.

export const DOCTOR_SCHEMA = 'slowlane-doctor';
/** Rises when a name changes or is removed. */
export const DOCTOR_SCHEMA_VERSION = 2;

export interface DoctorReport {
  readonly schema: typeof DOCTOR_SCHEMA;
  readonly schemaVersion: typeof DOCTOR_SCHEMA_VERSION;
  /** Version of slowlane. */
  readonly slowlane: string;
  /** Whether `slowlane train` can train here; the exit code is 0 then, else 1. */
  readonly trains: boolean;
  readonly pick: Pick;
  readonly findings: readonly Finding[];
  /** The JavaScript runtime and its version: `Node 22.20.0`, `Deno 2.9.6`. */
  readonly runtime: string;
  readonly system: string;
  readonly host: HostReport | null;
  readonly packages: readonly PackageReport[] | null;
  readonly engines: readonly EngineReport[];
  /** WebGPU's adapters. null if the probe failed. */
  readonly adapters: readonly AdapterReport[] | null;
  /** Messages of WebGPU's implementation and of the Vulkan loader. */
  readonly adapterMessages: readonly string[];
  /** null where WebGPU does not use Vulkan: on Windows and macOS. */
  readonly vulkan: VulkanReport | null;
  /** The GPUs that the system reports, whether or not WebGPU finds them. */
  readonly gpus: readonly GpuReport[] | null;
  readonly tensorflow: readonly TensorflowReport[] | null;
  readonly speeds: readonly SpeedReport[];
  /** Milliseconds until a copy on an idle device is back, the median. null: unknown. */
  readonly gpuWaitMs: number | null;
  /** What buffers that the host uploads from take of a GPU's memory. null: unknown. */
  readonly uploadMemory: UploadMemory | null;
  /** Probes that failed. */
  readonly failures: readonly { readonly probe: string; readonly reason: string }[];
}

/** The engine that `--engine auto` picks; null for none. */
export interface Pick {
  readonly engine: string | null;
  /** For models with convolutions. */
  readonly forConvolutions: string | null;
}

export interface Finding {
  /** `error`: training is impossible. `warning`: something is wrong. `note`: something could be better. */
  readonly level: 'error' | 'warning' | 'note';
  readonly what: string;
  readonly remedy: string | null;
}

export interface HostReport {
  readonly cpu: string;
  readonly cores: number;
  readonly ramBytes: number;
  /** For new programs, without swapping. */
  readonly availableBytes: number;
}

export interface PackageReport {
  readonly name: string;
  /** null: not installed. */
  readonly version: string | null;
}

/** Whether an engine started and took steps with Lookahead around Adam, in its own process. */
export interface EngineReport {
  readonly name: string;
  readonly works: boolean;
  /** Its name once it runs: `webgpu (…)`. */
  readonly startedAs: string | null;
  /** Why it doesn't work. */
  readonly reason: string | null;
  readonly remedy: string | null;
}

export interface AdapterReport {
  readonly name: string;
  /** Computes on the CPU. */
  readonly software: boolean;
  readonly vendor: string;
  readonly architecture: string;
  readonly driver: string;
  /** In bytes, or as WebGPU counts them. */
  readonly limits: Readonly<Record<AdapterLimit, number>>;
}

export const ADAPTER_LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupsPerDimension',
] as const;
export type AdapterLimit = (typeof ADAPTER_LIMITS)[number];

export interface VulkanReport {
  /** The variable that names the drivers; null: they are looked for in the system's folders. */
  readonly variable: string | null;
  readonly drivers: readonly VulkanDriver[];
}

export interface VulkanDriver {
  /** The path of the ICD file, whether or not it is one. */
  readonly file: string;
  readonly library: string | null;
  /** null: no problem was found. */
  readonly problem: string | null;
  readonly remedy: string | null;
}

export interface GpuReport {
  readonly source: 'nvidia-smi' | 'sysfs';
  readonly name: string;
  /** null: none is loaded, or it is unknown. */
  readonly driver: string | null;
  readonly totalBytes: number | null;
  readonly freeBytes: number | null;
}

export interface TensorflowReport {
  readonly name: string;
  /** null: not installed, and then the rest is empty. */
  readonly version: string | null;
  readonly folder: string | null;
  /** The native module, which is compiled or downloaded when the package is installed. */
  readonly binding: string | null;
  /** The files of libtensorflow. */
  readonly libraries: readonly string[];
  /** Its version by the names of the files; null if they have none. */
  readonly libtensorflow: string | null;
  /** Why it cannot load, as far as its files show. */
  readonly problem: string | null;
  readonly remedy: string | null;
}

export interface UploadMemory {
  /** Of the buffers that were made and written. */
  readonly bytes: number;
  /** By so much the free memory of a GPU fell meanwhile. */
  readonly inVramBytes: number;
}

export interface SpeedReport {
  readonly what: string;
  /** 10⁹ bytes per second, the best of a few; null if it could not be measured. */
  readonly gbPerSecond: number | null;
  /** true: a software adapter, which only copies within host memory. */
  readonly software: boolean;
  readonly bytes: number;
}
