// What `slowlane doctor --json` prints: plain data, documented in docs/doctor.md. A null is something that nobody
// told; no number in here is a guess.

export const DOCTOR_SCHEMA = 'slowlane-doctor';
/** Rises when the layout changes in a way that readers must know of. */
export const DOCTOR_SCHEMA_VERSION = 1;

export interface DoctorReport {
  readonly schema: typeof DOCTOR_SCHEMA;
  readonly schemaVersion: typeof DOCTOR_SCHEMA_VERSION;
  /** Version of slowlane. */
  readonly slowlane: string;
  /** Whether `slowlane train` can train here; the exit code is 0 then, else 1. */
  readonly trains: boolean;
  readonly pick: Pick;
  readonly findings: readonly Finding[];
  readonly node: string;
  readonly system: string;
  readonly host: HostReport | null;
  readonly packages: readonly PackageReport[] | null;
  readonly engines: readonly EngineReport[];
  /** WebGPU's; empty where it finds none, null where it could not be asked. */
  readonly adapters: readonly AdapterReport[] | null;
  /** What WebGPU's implementation and the Vulkan loader said meanwhile. */
  readonly adapterMessages: readonly string[];
  /** Null where Vulkan is not WebGPU's way to the GPU, as on Windows and macOS. */
  readonly vulkan: VulkanReport | null;
  /** What the system tells of GPUs, beside WebGPU. */
  readonly gpus: readonly GpuReport[] | null;
  readonly tensorflow: readonly TensorflowReport[] | null;
  readonly speeds: readonly SpeedReport[];
  /** Probes that told nothing. */
  readonly failures: readonly { readonly probe: string; readonly reason: string }[];
}

/** What `--engine auto` takes; null where it takes none. */
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
  /** Null: not installed. */
  readonly version: string | null;
}

/** Whether an engine started and took a step with Lookahead around Adam, in a process of its own. */
export interface EngineReport {
  readonly name: string;
  readonly works: boolean;
  /** The name it has once it runs: `webgpu (…)`. */
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
  /** The ICD file, or what stands in its place. */
  readonly file: string;
  readonly library: string | null;
  /** Null: nothing is wrong that can be seen. */
  readonly problem: string | null;
  readonly remedy: string | null;
}

export interface GpuReport {
  readonly source: 'nvidia-smi' | 'sysfs';
  readonly name: string;
  /** Null: none is loaded, or it is unknown. */
  readonly driver: string | null;
  readonly totalBytes: number | null;
  readonly freeBytes: number | null;
}

export interface TensorflowReport {
  readonly name: string;
  /** Null: not installed. The rest is empty then. */
  readonly version: string | null;
  readonly folder: string | null;
  /** The native module, which is compiled or downloaded when the package is installed. */
  readonly binding: string | null;
  /** The files of libtensorflow. */
  readonly libraries: readonly string[];
  /** As the files are named; null if they don't tell. */
  readonly libtensorflow: string | null;
  /** What keeps it from loading, as far as its files show. */
  readonly problem: string | null;
  readonly remedy: string | null;
}

export interface SpeedReport {
  readonly what: string;
  /** 10⁹ bytes a second, the best of a few; null where it could not be measured. */
  readonly gbPerSecond: number | null;
  /** Of a software adapter: the speed of nothing but memory copies. */
  readonly software: boolean;
  readonly bytes: number;
}
