// Whether the layers of a model.json can be connected. The loader of TensorFlow.js tries again and again until all are,
// so it would never return where layers feed each other or name one that is not there.

type Json = Readonly<Record<string, unknown>>;

interface Layer {
  readonly name: string;
  /** The calls of the layer that have not found their inputs yet. */
  calls: (readonly Input[])[];
  /** Those that have, and the one that inputs and models inside models begin with. */
  made: number;
}

interface Input {
  readonly layer: string;
  readonly call: number;
}

/** What is wrong, as half a sentence; null if all layers can be connected. */
export function unconnected(topology: unknown): string | null {
  const config = objectIn(objectIn(topology)?.['model_config'] ?? topology)?.['config'];
  const inside = objectIn(config)?.['layers'];
  const given = listIn(inside)
    .map(objectIn)
    .filter((one) => one !== null);
  for (const json of given) {
    const problem = unconnected(json);
    if (problem !== null) return problem;
  }
  const layers = new Map(given.map((json) => [String(json['name']), layerOf(json)]));
  const left = () => [...layers.values()].filter(({ calls }) => calls.length > 0);
  const isThere = ({ layer, call }: Input) => (layers.get(layer)?.made ?? 0) > call;
  for (let before = Infinity; left().length > 0;) {
    for (const layer of left()) {
      const ready = layer.calls.filter((inputs) => inputs.every(isThere));
      layer.calls = layer.calls.filter((inputs) => !ready.includes(inputs));
      layer.made += ready.length;
    }
    const now = left().reduce((sum, { calls }) => sum + calls.length, 0);
    if (now === before) {
      const names = left().map(({ name }) => `'${name}'`);
      return `the inputs of ${names.slice(0, 5).join(', ')}${names.length > 5 ? ', …' : ''} never come, because these layers feed each other or one of their inputs isn't in the file`;
    }
    before = now;
  }
  return null;
}

function layerOf(json: Json): Layer {
  const calls = listIn(json['inbound_nodes']).map((node) =>
    listIn(node).map((input): Input => {
      const [name, call] = listIn(input);
      return { layer: String(name), call: Number(call) };
    }),
  );
  const isModel = objectIn(json['config'])?.['layers'] !== undefined;
  const made = isModel || json['class_name'] === 'InputLayer' ? 1 : 0;
  return { name: String(json['name']), calls, made };
}

function objectIn(value: unknown): Json | null {
  return typeof value === 'object' && value !== null ? (value as Json) : null;
}

function listIn(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
