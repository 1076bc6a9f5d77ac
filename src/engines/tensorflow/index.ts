/**
 * Public names of `slowlane/tensorflow`, and nothing else.
 */
export { TensorFlowLoadError, type TensorFlowProblem } from './load-error.js';
export type { TensorFlowMemory } from './memory.js';
export { type TensorFlowEngine, type TensorFlowOptions, startTensorFlow } from './start.js';
