/**
 * The WebGPU engine, in Node and in browsers.
 *
 * @module slowlane/webgpu
 */
export type { DeviceMemory } from './memory/breakdown.js';
export { GpuError, type GpuErrorKind } from './gpu-error.js';
export { type Label, label } from './memory/label.js';
export { type WebGPUEngine, type WebGPUOptions, startWebGPU } from './start.js';
export type { Breakdown, Category } from '../../engine/categories.js';
export { VramBudgetError } from './memory/vram-budget-error.js';
