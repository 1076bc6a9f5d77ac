/**
 * The engine on tfjs-node and tfjs-node-gpu.
 *
 * @module slowlane/tensorflow
 */
export { TensorFlowLoadError, type TensorFlowProblem } from './load-error.js';
export type { TensorFlowMemory } from './memory.js';
export { type TensorFlowEngine, type TensorFlowOptions, startTensorFlow } from './start.js';
