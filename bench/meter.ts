/**
 * What a meter costs: `npm run bench:meter [-- --passes 12 --adapter swiftshader]`.
 *
 * On: steps without a meter and with one take turns on one engine, pass by pass; printed is the middle of the
 * passes' ratios. Off: what the pool's calls of nobody cost, as the ratio of a lent and returned buffer with twice
 * these calls to one with them.
 */
import { parseArgs } from 'node:util';
import { Bench } from 'tinybench';
import { openOurs, UNWATCHED } from '../src/measure/devices/devices.js';
import { learningRateOf, makeStack } from '../src/measure/workloads/stack.js';
import { spreadOf } from '../src/measure/times/statistics.js';
import { offloaded } from '../src/measure/workloads/steppers.js';
import { NO_WATCHER, type PoolWatcher } from '../src/engines/webgpu/memory/buffer-pool.js';
import { adam, lookahead, meter } from '../src/index.js';

const SIZE = { layers: 8, width: 128, batch: 16 };
/** A cycle: one sync is among them. */
const STEPS = 5;
const CYCLES_A_PASS = 3;
const BUFFER_BYTES = 4096;
/** So many calls a sample: a clock's tick is no smaller than one. */
const CALLS = 1000;

const { values } = parseArgs({
  options: { passes: { type: 'string', default: '12' }, adapter: { type: 'string' } },
});
const passes = Number(values.passes);
const device = await openOurs(values.adapter, UNWATCHED);
const { pool } = device.engine.backend;
const stack = await makeStack(device, SIZE);
const inner = adam({ learningRate: learningRateOf(SIZE) });
const stepper = await offloaded(stack, lookahead(inner, { slow: 'host:f16' }));
for (let i = 0; i < 2; i++) await cycle(); // compiles

console.log(`device  ${device.engine.adapter.name}`);
await costOn();
await costOff();
device.engine.stop();

async function costOn(): Promise<void> {
  const ratios: number[] = [];
  const offMs: number[] = [];
  for (let pass = 0; pass < passes; pass++) {
    const bench = new Bench({ iterations: CYCLES_A_PASS, time: 0, warmup: false });
    let metered: ReturnType<typeof meter> | null = null;
    const add = {
      off: () => bench.add('off', cycle),
      on: () =>
        bench.add('on', cycle, {
          beforeAll: () => void (metered = meter()),
          afterAll: () => metered?.stop(),
        }),
    };
    // The first of two has other caches.
    for (const name of pass % 2 === 0 ? (['off', 'on'] as const) : (['on', 'off'] as const)) {
      add[name]();
    }
    await bench.run();
    const [off, on] = [medianOf(bench, 'off'), medianOf(bench, 'on')];
    offMs.push(off / STEPS);
    ratios.push(on / off);
  }
  const ratio = median(ratios);
  console.log(`a step, meter off   ${median(offMs).toFixed(1)} ms (median of ${passes} passes)`);
  console.log(`on / off            ${ratio.toFixed(4)} (${range(ratios)})`);
  const [own, events] = await ownWork();
  const share = (100 * own) / median(offMs);
  console.log(
    `meter's own work    ${own.toFixed(3)} ms a step: ${share.toFixed(2)} % of it, for ${events.toFixed(0)} events`,
  );
}

async function costOff(): Promise<void> {
  const bench = new Bench({ time: 2000, warmupTime: 500 });
  const twice: PoolWatcher = {
    before(takes) {
      NO_WATCHER.before(takes);
      NO_WATCHER.before(takes);
    },
    moved(buffer, from, to) {
      NO_WATCHER.moved(buffer, from, to);
      NO_WATCHER.moved(buffer, from, to);
    },
  };
  for (const [name, watcher] of [
    ['once', NO_WATCHER],
    ['twice', twice],
  ] as const) {
    bench.add(name, lendAndReturn, { beforeEach: () => void (pool.watcher = watcher) });
  }
  await bench.run();
  pool.watcher = NO_WATCHER;
  const [once, both] = [medianOf(bench, 'once'), medianOf(bench, 'twice')];
  console.log(`lend and return     ${((1e6 * once) / CALLS).toFixed(0)} ns, with calls of nobody`);
  console.log(`twice the calls     ${(both / once).toFixed(4)} of it`);
}

function lendAndReturn(): void {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
  for (let i = 0; i < CALLS; i++) pool.releaseBuffer(pool.acquireBuffer(BUFFER_BYTES, usage));
}

/** Median milliseconds in the meter a step, the clock's own included, and events a step. */
async function ownWork(): Promise<[number, number]> {
  const each: number[] = [];
  let seen = 0;
  for (let i = 0; i < 9; i++) {
    const metered = meter();
    const before = metered.timeline().moves;
    const spent = timeWatcher();
    await cycle();
    each.push(spent() / STEPS);
    seen += (metered.timeline().moves - before) / STEPS;
    metered.stop();
  }
  return [median(each), seen / 9];
}

async function cycle(): Promise<void> {
  for (let step = 0; step < STEPS; step++) {
    const cost = await stepper.step(true);
    await cost?.data();
    cost?.dispose();
  }
}

/** Sums the time that the pool's watcher takes, until it is called. */
function timeWatcher(): () => number {
  const { watcher } = pool;
  let ms = 0;
  const timed =
    <A extends unknown[]>(work: (...args: A) => void) =>
    (...args: A) => {
      const start = performance.now();
      work(...args);
      ms += performance.now() - start;
    };
  pool.watcher = {
    before: timed((takes) => watcher.before(takes)),
    moved: timed((buffer, from, to) => watcher.moved(buffer, from, to)),
  };
  return () => ms;
}

function medianOf(bench: Bench, name: string): number {
  const result = bench.getTask(name)?.result;
  if (result === undefined || !('latency' in result)) throw new Error(`'${name}' did not run.`);
  return result.latency.p50;
}

function median(all: readonly number[]): number {
  return spreadOf(all)?.median ?? NaN;
}

function range(all: readonly number[]): string {
  const sorted = all.toSorted((a, b) => a - b);
  const quarter = Math.floor(all.length / 4);
  return `quartiles ${sorted[quarter]?.toFixed(4)} to ${sorted.at(-1 - quarter)?.toFixed(4)}`;
}
