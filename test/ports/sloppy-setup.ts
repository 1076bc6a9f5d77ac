// Every shader that a test compiles is rewritten first: `npm run test:ports -- sloppy`.

import { globals } from 'webgpu';
import { afterAll, expect } from 'vitest';

import { sloppy } from './sloppy.js';

const { prototype } = (globals as { GPUDevice: { prototype: GPUDevice } }).GPUDevice;
const compile = Reflect.get(prototype, 'createShaderModule') as (
  this: GPUDevice,
  module: GPUShaderModuleDescriptor,
) => GPUShaderModule;
let rewritten = 0;
prototype.createShaderModule = function (this: GPUDevice, module) {
  const code = sloppy(module.code);
  if (code !== module.code) rewritten += 1;
  return compile.call(this, { ...module, code });
};
// Else the tests would pass with kernels as they are.
afterAll(() => expect(rewritten).toBeGreaterThan(0));
