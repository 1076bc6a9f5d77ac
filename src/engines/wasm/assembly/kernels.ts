// Products of matrices, gradients of convolutions and more in the heap of tfjs's wasm backend, as AssemblyScript.
// `npm run kernels` compiles this folder into ../kernels-wasm.ts. Positions are in bytes, steps and sizes in elements.

export { depthwiseFilterGradient, depthwiseInputGradient } from './depthwise';
export { clip, sign } from './elements';
export { allWithin } from './within';
export { geometry } from './geometry';
export { maxPool } from './pooling';
export { convFilterGradient, convInputGradient, matMul, scratchBytes } from './product';
export { segmentSum } from './segments';
