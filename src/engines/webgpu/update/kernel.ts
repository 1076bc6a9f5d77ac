// Compute kernels: what all of their sources have in common, and pipelines with a layout of their own.

type Binding = 'storage' | 'read-only-storage' | 'uniform';

/** GPUShaderStage.COMPUTE, a constant of the specification. */
const COMPUTE_STAGE = 4;

/** WGSL of variables, bound in order from 0 in group 0. */
export function declared(variables: readonly string[]): string {
  return variables.map((variable, i) => `@group(0) @binding(${i}) ${variable};`).join('\n');
}

/** WGSL of the entry point. `body` sees its workgroup in the `grid` as `group`, and its `lane` in the workgroup. */
export function entryPoint(workgroupSize: number, body: readonly string[]): string {
  return `@compute @workgroup_size(${workgroupSize})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  ${body.join('\n  ')}
}
`;
}

/** The kinds of the bindings that `code` declares, in order. */
export function bindingsIn(code: string): Binding[] {
  return [...code.matchAll(/@binding\(\d+\) var<([^>]+)>/g)].map(([, space]) => {
    if (space === 'uniform') return 'uniform';
    return space === 'storage, read' ? 'read-only-storage' : 'storage';
  });
}

/** A layout left to the device would lack bindings that the code does not use. */
export function compileKernel(device: GPUDevice, code: string): GPUComputePipeline {
  const layout = device.createBindGroupLayout({
    entries: bindingsIn(code).map((type, binding) => ({
      binding,
      visibility: COMPUTE_STAGE,
      buffer: { type },
    })),
  });
  return device.createComputePipeline({
    layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
    compute: { module: device.createShaderModule({ code }), entryPoint: 'main' },
  });
}

/** A bind group of group 0 with `bound`, in order from 0. */
export function bindGroup(
  device: GPUDevice,
  pipeline: GPUComputePipeline,
  bound: readonly GPUBufferBinding[],
): GPUBindGroup {
  const entries = bound.map((resource, binding) => ({ binding, resource }));
  return device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
}
