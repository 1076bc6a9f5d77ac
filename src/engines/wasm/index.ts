/**
 * The wasm engine, in Node and in browsers: TensorFlow.js's wasm backend with kernels of ours.
 *
 * @module slowlane/wasm
 */
export { type WasmEngine, startWasm } from './start.js';
