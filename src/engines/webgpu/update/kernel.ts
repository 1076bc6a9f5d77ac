// A compute pipeline with a layout of its own, so that its bindings need not be guessed from the source.

export type Binding = 'storage' | 'read-only-storage' | 'uniform';

export interface KernelSource {
  readonly code: string;
  readonly entryPoint: string;
  /** In order, from 0, in group 0. */
  readonly bindings: readonly Binding[];
}

/** GPUShaderStage.COMPUTE, a constant of the specification. */
const COMPUTE_STAGE = 4;

/** A bind group of group 0 with `bound`, in order from 0. */
export function bindGroup(
  device: GPUDevice,
  pipeline: GPUComputePipeline,
  bound: readonly GPUBufferBinding[],
): GPUBindGroup {
  const entries = bound.map((resource, binding) => ({ binding, resource }));
  return device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
}

export function compileKernel(
  device: GPUDevice,
  { code, entryPoint, bindings }: KernelSource,
): GPUComputePipeline {
  const layout = device.createBindGroupLayout({
    entries: bindings.map((type, binding) => ({
      binding,
      visibility: COMPUTE_STAGE,
      buffer: { type },
    })),
  });
  return device.createComputePipeline({
    layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
    compute: { module: device.createShaderModule({ code }), entryPoint },
  });
}
