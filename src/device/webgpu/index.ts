/**
 * Public names of `slowlane/webgpu`, and nothing else.
 */
export type { DeviceMemory } from './breakdown.js';
export { GpuError, type GpuErrorKind } from './gpu-error.js';
export { type Label, label } from './label.js';
export { type WebGPUEngine, type WebGPUOptions, startWebGPU } from './start.js';
export { type Breakdown, type Category, VramBudgetError } from './vram-budget-error.js';
