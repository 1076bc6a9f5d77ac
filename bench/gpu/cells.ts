// The cells: what can be measured. Names and words only, so that --list loads nothing.

export interface Cell {
  readonly name: string;
  readonly kind: 'training' | 'reference' | 'internal';
  readonly title: string;
  /** The same inner optimizer without Lookahead: what Lookahead costs is measured against it. */
  readonly without?: string;
  /** The cell whose losses these must be, by tfjs's own optimizer. */
  readonly sameLossesAs?: string;
}

export const CELLS: readonly Cell[] = [
  { name: 'sgd', kind: 'training', title: 'sgd(): the floor' },
  { name: 'tfjs-adam', kind: 'training', title: 'tf.train.adam on the stock backend' },
  {
    name: 'tfjs-adam-lookahead',
    kind: 'training',
    title: 'the same, slow weights as tensors on the device',
    without: 'tfjs-adam',
  },
  {
    name: 'adam-keep',
    kind: 'training',
    title: "adam(), gradients: 'keep'",
    sameLossesAs: 'tfjs-adam',
  },
  {
    name: 'adam-release',
    kind: 'training',
    title: "adam(), gradients: 'release'",
    sameLossesAs: 'tfjs-adam',
  },
  {
    name: 'adam-keep-lookahead-device',
    kind: 'training',
    title: "adam(), 'keep', slow weights as variables on the device",
    without: 'adam-keep',
    sameLossesAs: 'tfjs-adam-lookahead',
  },
  ...(['keep f32', 'release f32', 'release f16'] as const).map((variant): Cell => {
    const [gradients = '', format = ''] = variant.split(' ');
    return {
      name: `lookahead-${gradients}-${format}`,
      kind: 'training',
      title: `lookahead(adam()), '${gradients}', slow: 'host:${format}'`,
      without: `adam-${gradients}`,
      sameLossesAs: 'tfjs-adam-lookahead',
    };
  }),
  {
    name: 'copy-device',
    kind: 'reference',
    title: 'copy on the device with the traffic of an Adam update (28 B per parameter)',
  },
  {
    name: 'adam-update-only',
    kind: 'reference',
    title: 'adam().applyGradients() with given gradients',
  },
  {
    name: 'bus',
    kind: 'reference',
    title: 'host to device and back, both together, by the GPU alone',
  },
  {
    name: 'sync-only-f32',
    kind: 'reference',
    title: "sync() of lookahead(adam()), slow: 'host:f32'",
  },
  {
    name: 'sync-only-f16',
    kind: 'reference',
    title: "sync() of lookahead(adam()), slow: 'host:f16'",
  },
];

/** Not measured: what the adapter is, and a process that crashes, for the test of what becomes of the rest. */
const INTERNAL: readonly Cell[] = [
  { name: 'machine', kind: 'internal', title: 'names the adapter' },
  { name: 'crash', kind: 'internal', title: 'ends by a signal' },
];

export function cellNamed(name: string): Cell | undefined {
  return [...CELLS, ...INTERNAL].find((cell) => cell.name === name);
}

/** Names of what reference cells measure, where a verdict reads them. */
export const SERIES = {
  awaited: 'one round a wait',
  pipelined: 'ten rounds a wait',
  syncDone: 'until the GPU is done',
  syncCall: 'sync() alone',
} as const;

export function busSeries(format: 'f16' | 'f32', pieceMib: number): string {
  return `${format} in ${pieceMib} MiB pieces`;
}
