// Layers of a model.json that can be connected, and those for which the loader of TensorFlow.js would loop for ever.

import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import * as tfl from '@tensorflow/tfjs-layers';
import { beforeAll, expect, test } from 'vitest';

import { unconnected } from '#src/cli/plan/layer-graph.js';

beforeAll(() => tf.setBackend('cpu'));

const dense = () => tfl.layers.dense({ units: 3 });
const input = () => tfl.input({ shape: [3] });

/** One layer called twice, a model in it that is called twice, and a sequential one. */
function branched(): tfl.LayersModel {
  const [one, other] = [input(), input()];
  const [shared, begin] = [dense(), input()];
  const inner = tfl.model({ inputs: begin, outputs: dense().apply(begin) as tfl.SymbolicTensor });
  const stack = tfl.sequential({ layers: [tfl.layers.dense({ units: 3, inputShape: [3] })] });
  const through = (x: tfl.SymbolicTensor) => inner.apply(shared.apply(x)) as tfl.SymbolicTensor;
  const both = tfl.layers.add().apply([through(one), through(other)]) as tfl.SymbolicTensor;
  return tfl.model({ inputs: [one, other], outputs: stack.apply(both) as tfl.SymbolicTensor });
}

type Layers = { config: { layers: { name: string; inbound_nodes: unknown[] }[] } };

test('layers and models that are used twice are connected, in any order of the file', () => {
  const topology = branched().toJSON(null, false) as unknown as Layers;
  expect(unconnected(topology)).toBeNull();
  topology.config.layers.reverse();
  expect(unconnected(topology)).toBeNull();
  expect(unconnected({ model_config: topology })).toBeNull();
  const stack = tfl.sequential({ layers: [tfl.layers.dense({ units: 1, inputShape: [2] })] });
  expect(unconnected(stack.toJSON(null, false))).toBeNull();
});

test.each([
  ['a layer that feeds itself', 0],
  ['a call that nobody makes', 7],
])('%s', (_, call) => {
  const begin = input();
  const layer = tfl.layers.dense({ units: 3, name: 'last' });
  const model = tfl.model({ inputs: begin, outputs: layer.apply(begin) as tfl.SymbolicTensor });
  const topology = model.toJSON(null, false) as unknown as Layers;
  topology.config.layers.at(-1)!.inbound_nodes = [[['last', call, 0, {}]]];
  expect(unconnected(topology)).toContain("the inputs of 'last' never come");
  expect(unconnected({ config: { layers: [topology] } })).toContain("'last'"); // inside another
});
