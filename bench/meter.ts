/**
 * What a meter costs: `node --import tsx bench/meter.ts [--rounds 40] [--adapter swiftshader]`.
 *
 * Rounds of steps without a meter and with one take turns on one engine; printed are the medians and their
 * ratio, and what the meter's own work is of a step, from its events and the time of one.
 */
import { parseArgs } from 'node:util';
import { openOurs } from '../src/bench/devices.js';
import { learningRateOf, makeStack } from '../src/bench/stack.js';
import { offloaded } from '../src/bench/steppers.js';
import { Timeline } from '../src/device/meter/timeline.js';
import { NOBODY } from '../src/device/webgpu/pool-watcher.js';
import { adam, lookahead, meter } from '../src/index.js';

const SIZE = { layers: 8, width: 128, batch: 16 };
const STEPS = 5;
const CALLS = 1_000_000;

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '40' }, adapter: { type: 'string' } },
});
const device = await openOurs(values.adapter, { watchBuffers() {}, watchTensors() {} });
const stack = await makeStack(device, SIZE);
const inner = adam({ learningRate: learningRateOf(SIZE) });
const stepper = await offloaded(stack, lookahead(inner, { slow: 'host:f16' }));
await round(); // compiles

const off: number[] = [];
const on: number[] = [];
let moves = 0;
for (let i = 0; i < Number(values.rounds); i++) {
  for (const isOn of i % 2 === 0 ? [false, true] : [true, false]) {
    const metered = isOn ? meter() : null;
    const before = metered?.timeline().moves ?? 0;
    (isOn ? on : off).push(await round());
    moves += (metered?.timeline().moves ?? 0) - before;
    metered?.stop();
  }
}
const [own, events] = await ownWork();
const steps = Number(values.rounds) * STEPS;
const [offMs, onMs] = [median(off) / STEPS, median(on) / STEPS];
console.log(`device            ${device.engine.adapter.name}`);
console.log(`a step, meter off ${offMs.toFixed(3)} ms (${spread(off)})`);
console.log(`a step, meter on  ${onMs.toFixed(3)} ms (${spread(on)})`);
console.log(`ratio             ${(onMs / offMs).toFixed(4)}`);
console.log(`events a step     ${(moves / steps).toFixed(1)}`);
console.log(
  `meter's own work  ${own.toFixed(4)} ms a step, ${((100 * own) / offMs).toFixed(3)} %, ${((1e3 * own) / events).toFixed(2)} µs an event (timing it included)`,
);
console.log(`one move          ${(1e6 * perCall(moveOnce())).toFixed(1)} ns`);
console.log(`off: one call     ${(1e6 * perCall(() => NOBODY.before(true))).toFixed(2)} ns`);
device.engine.stop();

/** Median milliseconds in the meter a step, and events a step. */
async function ownWork(): Promise<[number, number]> {
  const each: number[] = [];
  let seen = 0;
  for (let i = 0; i < 9; i++) {
    const metered = meter();
    const before = metered.timeline().moves;
    const spent = timeWatcher();
    await round();
    each.push(spent() / STEPS);
    seen += (metered.timeline().moves - before) / STEPS;
    metered.stop();
  }
  return [median(each), seen / 9];
}

async function round(): Promise<number> {
  const start = performance.now();
  for (let step = 0; step < STEPS; step++) {
    const cost = await stepper.step(true);
    await cost?.data();
    cost?.dispose();
  }
  return performance.now() - start;
}

/** Sums the time that the pool's watcher takes, until it is called. */
function timeWatcher(): () => number {
  const { pool } = device.engine.backend;
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

function moveOnce(): () => void {
  const timeline = new Timeline();
  timeline.beginStep(1, 'other');
  let isIn = false;
  return () => {
    if (isIn) timeline.move(4096, 'activations', 'pool', 'forward');
    else timeline.move(4096, 'pool', 'activations', 'forward');
    isIn = !isIn;
  };
}

function perCall(work: () => void): number {
  const times = Array.from({ length: 5 }, () => {
    const start = performance.now();
    for (let i = 0; i < CALLS; i++) work();
    return (performance.now() - start) / CALLS;
  });
  return median(times);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

function spread(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  return `${((sorted[0] ?? 0) / STEPS).toFixed(3)} to ${((sorted.at(-1) ?? 0) / STEPS).toFixed(3)}`;
}
