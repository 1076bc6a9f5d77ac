// The rooms of src/, from the ground up: a room imports only from rooms before it in this list.
//
// The one source of the layer rule (.dependency-cruiser.mjs), of the table in CONTRIBUTING.md, and of
// what scripts/structure.mjs counts. `runs: 'anywhere'` rooms are the core: they run in a browser too, so
// they import nothing of Node. What they need of it stands in a folder `node/` inside them, to which only a
// subpath import ('#worker-blender') may lead. `src/index.ts` stands after the last room of the core.

/** @type {readonly { readonly room: string, readonly what: string, readonly runs: 'anywhere' | 'node' }[]} */
export const ROOMS = [
  {
    room: 'checks',
    what: 'checks of options, error classes, sizes in bytes, matching weights by name',
    runs: 'anywhere',
  },
  { room: 'models', what: 'models to train, and what they need of their data', runs: 'node' },
  {
    room: 'tfjs',
    what: 'all that is known of the private parts of TensorFlow.js',
    runs: 'anywhere',
  },
  {
    room: 'formula',
    what: 'the language of update rules, clipping, 8-bit optimizer state',
    runs: 'anywhere',
  },
  {
    room: 'slow',
    what: 'formats and layouts of slow weights, the contract of their store',
    runs: 'anywhere',
  },
  {
    room: 'engine',
    what: 'what a backend can do for us: one contract, one registry',
    runs: 'anywhere',
  },
  {
    room: 'autograd',
    what: 'the backward pass that releases gradients; checkpoint()',
    runs: 'anywhere',
  },
  {
    room: 'optimizers',
    what: 'sgd to lion: one formula each; the step; state on device or host',
    runs: 'anywhere',
  },
  { room: 'meter', what: 'the timeline of device memory', runs: 'anywhere' },
  {
    room: 'engines',
    what: 'the engines portable (any backend of tfjs), wasm and webgpu',
    runs: 'anywhere',
  },
  { room: 'engines/tensorflow', what: 'the engine on tfjs-node and tfjs-node-gpu', runs: 'node' },
  { room: 'plan', what: 'the planner: which policy fits a card', runs: 'anywhere' },
  { room: 'snapshot', what: 'training state as bytes, and back', runs: 'anywhere' },
  { room: 'records', what: 'run.json and its schema', runs: 'node' },
  {
    room: 'sync',
    what: 'one sync: the host blend with its workers, slow weights on the device',
    runs: 'anywhere',
  },
  {
    room: 'report',
    what: 'the page that shows runs; page/ holds its scripts and its style',
    runs: 'node',
  },
  {
    room: 'lookahead',
    what: 'the algorithm: options, guarded calls, cycle, syncs, step sizes',
    runs: 'anywhere',
  },
  { room: 'measure', what: 'meters, devices, workloads and processes of benchmarks', runs: 'node' },
  { room: 'cli', what: 'the command line, a folder for each command', runs: 'node' },
];
