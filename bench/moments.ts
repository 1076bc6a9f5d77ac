/**
 * 8-bit moments against float32 ones: `node --import tsx bench/moments.ts [--steps 300] [--seeds 3] [--data mnist] [--code dynamic]`.
 *
 * `control` is float32 moments times 1 + 10⁻⁶ at every step: losses that differ no more than its do are as
 * good as the same, for training amplifies whatever differs.
 *
 * Two tables: how far decoded moments of Adam are from what was encoded, and the test loss that training
 * with them ends at, on the perceptron (MNIST) and the character transformer (Moby-Dick), in plain
 * TypeScript and on the wasm engine. Every code takes blocks of 256 with a scale of their own, and no
 * second moment above 0 becomes 0. `dynamic` is the code of bitsandbytes (Dettmers et al., arXiv
 * 2110.02861, `create_dynamic_map`), `softsign` that of FlashOptim, `roots` a companding by roots.
 */
import '@tensorflow/tfjs-backend-cpu';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import { loadData } from '../src/cli/data/load.js';
import type { DataSet } from '../src/models/dataset.js';
import { adam } from '../src/optimizers/index.js';
import { correlation } from './correlation.js';
import { type Trained, trainModel } from './parity/training.js';

const BLOCK = 256;
/** Smaller weights keep float32 moments. */
const SMALLEST = 4096;

/** 256 values from −1 to 1 (or 0 to 1), ascending: what a number over the largest of its block becomes. */
interface Code {
  readonly name: string;
  readonly signed: Float64Array;
  /** Begins with 0, which only 0 becomes. */
  readonly positive: Float64Array;
  /** Where numbers are compared; nearest there. Default: as they are. */
  readonly bend?: (x: number) => number;
  readonly bendPositive?: (x: number) => number;
}

const CONTROL: Code = {
  name: 'control',
  signed: new Float64Array(),
  positive: new Float64Array(),
};

interface Companding {
  readonly bend: (x: number) => number;
  /** Its inverse. */
  readonly unbend: (y: number) => number;
}

const SOFTSIGN: Companding = { bend: (x) => (2 * x) / (1 + x), unbend: (y) => y / (2 - y) };

const CODES: readonly Code[] = [
  CONTROL,
  { name: 'dynamic', signed: dynamic(true), positive: dynamic(false) },
  companded('linear', { bend: (x) => x, unbend: (x) => x }, 1),
  companded('softsign, root', SOFTSIGN, 2),
  companded('softsign, 4th root', SOFTSIGN, 4),
  companded('root, 4th root', { bend: Math.sqrt, unbend: (y) => y * y }, 4),
];

/** `bend` on [0, 1] is made odd for signed numbers; `root` is for second moments. */
function companded(name: string, { bend, unbend }: Companding, root: number): Code {
  return {
    name,
    signed: Float64Array.from({ length: 255 }, (_, i) => odd(unbend, (i - 127) / 127)),
    positive: Float64Array.from({ length: 256 }, (_, i) => (i / 255) ** root),
    bend: (x) => odd(bend, x),
    bendPositive: (x) => x ** (1 / root),
  };
}

function odd(f: (x: number) => number, x: number): number {
  return Math.sign(x) * f(Math.abs(x));
}

/** The exponent of 10 in unary, the rest of the bits a linear fraction. */
function dynamic(signed: boolean): Float64Array {
  const values = [0, 1];
  for (let i = 0; i < 7; i++) {
    const count = 2 ** (signed ? i : i + 1);
    for (let j = 0; j < count; j++) {
      const mean = 0.1 + (0.9 * (j + 0.5)) / count;
      values.push(10 ** (i - 6) * mean);
      if (signed) values.push(-(10 ** (i - 6)) * mean);
    }
  }
  return Float64Array.from(values).toSorted();
}

/** What `values` become by being encoded and decoded. */
function throughCode(values: Float32Array, code: Code, isPositive: boolean): Float32Array {
  if (code === CONTROL) return values.map((x) => x * (1 + 1e-6));
  const table = isPositive ? code.positive : code.signed;
  const bend = (isPositive ? code.bendPositive : code.bend) ?? ((x) => x);
  const bent = table.map(bend);
  const result = new Float32Array(values.length);
  for (let start = 0; start < values.length; start += BLOCK) {
    const block = values.subarray(start, start + BLOCK);
    const scale = block.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    if (scale === 0) continue;
    for (const [i, x] of block.entries()) {
      let at = nearest(bent, bend(x / scale));
      if (isPositive && x > 0 && at === 0) at = 1;
      result[start + i] = scale * (table[at] ?? 0);
    }
  }
  return result;
}

function nearest(ascending: Float64Array, x: number): number {
  let [low, high] = [0, ascending.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((ascending[middle] ?? 0) <= x) low = middle;
    else high = middle;
  }
  return x - (ascending[low] ?? 0) <= (ascending[high] ?? 0) - x ? low : high;
}

interface Run extends Trained {
  readonly moments: ReadonlyMap<string, Float32Array>;
}

async function train(data: DataSet, seed: number, steps: number, code: Code | null): Promise<Run> {
  const [learningRate, batchSize] = data.kind === 'text' ? [3e-3, 8] : [1e-3, 32];
  const optimizer = adam({ learningRate });
  const moments = new Map<string, Float32Array>();
  const large = () => optimizer.state().filter(({ variable }) => variable.size >= SMALLEST);
  const trained = await trainModel(data, { steps, batchSize }, seed, ({ variables }) => ({
    async step(loss) {
      const cost = optimizer.minimize(loss, true, [...variables]);
      for (const { variable } of code === null ? [] : large()) {
        const values = await variable.data<'float32'>();
        const decoded = throughCode(values, code as Code, variable.name.endsWith('/v'));
        tf.tidy(() => variable.assign(tf.tensor(decoded, variable.shape)));
      }
      return cost;
    },
    async finish() {
      for (const { variable } of large()) {
        moments.set(variable.name, (await variable.data<'float32'>()).slice());
      }
      optimizer.dispose();
    },
  }));
  return { ...trained, moments };
}

/** Of the moments of a trained model: root mean square and mean error, each over that of the moments. */
function errors(moments: Run['moments'], code: Code, isPositive: boolean): string {
  let [squares, ofErrors, rootSquares, rootErrors] = [0, 0, 0, 0];
  let relative = 0;
  let count = 0;
  for (const [name, values] of moments) {
    if (name.endsWith('/v') !== isPositive) continue;
    const decoded = throughCode(values, code, isPositive);
    for (const [i, x] of values.entries()) {
      const y = decoded[i] ?? NaN;
      squares += x * x;
      ofErrors += (x - y) ** 2;
      if (x === 0) continue;
      const root = Math.sqrt(Math.abs(x));
      rootSquares += root * root;
      rootErrors += (root - Math.sqrt(Math.abs(y))) ** 2;
      relative += Math.abs(y / x - 1);
      count += 1;
    }
  }
  const percent = (share: number) => `${(100 * share).toFixed(2)} %`;
  const rms = isPositive ? Math.sqrt(rootErrors / rootSquares) : Math.sqrt(ofErrors / squares);
  return `${percent(rms)}, ${percent(relative / count)}`;
}

const { values: options } = parseArgs({
  options: {
    steps: { type: 'string', default: '300' },
    seeds: { type: 'string', default: '3' },
    data: { type: 'string', multiple: true, default: ['mnist', 'moby-dick'] },
    code: { type: 'string', multiple: true, default: CODES.map(({ name }) => name) },
  },
});
const steps = Number(options.steps);
const seeds = Array.from({ length: Number(options.seeds) }, (_, i) => i + 1);
await tf.setBackend('wasm');
await tf.ready();
console.log(
  `${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.version}, wasm; ${steps} steps\n`,
);
for (const name of options.data as ('mnist' | 'moby-dick')[]) {
  const data = await loadData(name, undefined, console.warn);
  const inFloat32: Run[] = [];
  for (const seed of seeds) inFloat32.push(await train(data, seed, steps, null));
  const [first] = inFloat32;
  console.log(
    `${name}: float32 ends at ${inFloat32.map((run) => run.testLoss.toFixed(4)).join(', ')}\n`,
  );
  console.log(
    '| code | m: error, relative | √v: error, v relative | test loss over float32 by seed | curves correlate |',
  );
  console.log('|---|---|---|---|---|');
  for (const code of CODES.filter(({ name }) => options.code.includes(name))) {
    const ratios: string[] = [];
    const correlations: number[] = [];
    for (const [i, seed] of seeds.entries()) {
      const run = await train(data, seed, steps, code);
      const reference = inFloat32[i] as Run;
      ratios.push((run.testLoss / reference.testLoss).toFixed(4));
      correlations.push(correlation(run.losses, reference.losses));
    }
    const [m, v] = [false, true].map((isPositive) =>
      errors((first as Run).moments, code, isPositive),
    );
    console.log(
      `| ${code.name} | ${m} | ${v} | ${ratios.join(', ')} | ${Math.min(...correlations).toFixed(5)} |`,
    );
  }
  console.log('');
}
