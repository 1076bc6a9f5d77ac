// `slowlane train` from options to files: engine, data, model, loop, evaluation, record. Everything opened here is
// closed here, also when the run breaks off.

import { reasonOf, RunError, UsageError } from '../terminal/cli-error.js';
import type { DataSet } from '../../models/dataset.js';
import { loadData } from '../data/load.js';
import { startEngine } from './engine.js';
import { Interrupted, listenForInterrupt } from '../terminal/interrupt.js';
import { evaluate } from '../../models/cross-entropy.js';
import { makeModel } from '../../models/make.js';
import { countParameters } from '../../models/model.js';
import { type LivePage, startLivePage } from '../live/server.js';
import { type Output, prepareOutput } from './output.js';
import { startProgress } from './progress.js';
import { makeRecord } from './record.js';
import { summaryText } from './summary-table.js';
import { meter } from '../../meter/meter.js';
import { formatBytes, formatCount, formatMs } from '../../checks/quantities.js';
import { type EvaluationRecord, RUNNING, type RunRecord } from '../../records/run-record.js';
import { openTensorBoard, type TensorBoard } from '../tensorboard/sink.js';
import type { TrainOptions } from './options.js';
import { makeTrainer } from './trainer.js';
import { newLoopState, type Run, runLoop } from './loop.js';
import { print, say } from '../terminal/print.js';

const EVALUATION_BATCH = 250;

/** A run that is killed loses this much of its record. */
const RECORD_MS = 10_000;

/** Where the results of a run go. */
interface Outlets {
  readonly output: Output;
  readonly live: LivePage | null;
  readonly events: TensorBoard | null;
}

/** Trains, prints, writes; resolves to the exit code. */
export async function train(options: TrainOptions, toolVersion: string): Promise<number> {
  const startedAt = new Date();
  const engine = await startEngine(options.engine, options.model, options.vram);
  print(`Engine  ${engine.name}${engine.note === '' ? '' : ` (${engine.note})`}`);
  const data = await loadData(options.data, options.dataDir, warn);
  const stepsPlanned = countSteps(options, data);
  print(
    `Data    ${data.name}: ${formatCount(data.trainCount)} to train on, ${formatCount(data.testCount)} to test`,
  );
  const output = await prepareOutput(options.out);
  try {
    return await trainInto(output, { options, toolVersion, startedAt, data, engine, stepsPlanned });
  } finally {
    await output.release();
  }
}

type Request = Pick<
  Run,
  'options' | 'toolVersion' | 'startedAt' | 'data' | 'engine' | 'stepsPlanned'
>;

async function trainInto(output: Output, request: Request): Promise<number> {
  const { options, data } = request;
  const metered = options.timeline === true ? meter() : null; // before there are weights
  const model = makeModel(options.model, data, options.seed);
  print(
    `Model   ${model.description}: ${formatCount(countParameters(model))} parameters, ${formatBytes(4 * countParameters(model))}`,
  );
  try {
    const trainer = makeTrainer(options, model.variables);
    try {
      const run: Run = {
        ...request,
        model,
        trainer,
        state: newLoopState(),
        evaluations: [],
        validation: { step: [], fast: [], slow: [] },
        meter: metered,
      };
      const live = await openLivePage(run);
      try {
        const events = await openEvents(options); // last, because it makes a file
        return await trainAndRecord(run, { output, live, events });
      } finally {
        live?.close();
      }
    } finally {
      trainer.dispose();
    }
  } finally {
    metered?.stop();
    model.dispose();
  }
}

async function trainAndRecord(run: Run, outlets: Outlets): Promise<number> {
  const { output, events } = outlets;
  const interrupt = listenForInterrupt();
  try {
    await output.write(makeRecord(run, RUNNING)); // not that of an earlier run, should this one be killed
    await trainWithProgress(run, outlets, interrupt.signal);
    run.meter?.stop(); // testing belongs to no step
    const tested = await validate(run, run.state.stepsDone, events, interrupt.signal);
    run.evaluations.push(...tested);
    await run.trainer.finish();
  } catch (error) {
    await writePartial(run, outlets, error);
    if (!(error instanceof Interrupted)) throw withRemedy(error);
    say(`slowlane: ${error.message}`);
    return error.exitCode;
  } finally {
    await events?.close();
    interrupt.release();
  }
  const record = makeRecord(run, 'done');
  try {
    await leave(record, outlets);
  } finally {
    print(summaryText(record, process.stdout.isTTY ? process.stdout.columns : undefined));
  }
  print(`Record  ${output.recordPath}\nReport  ${output.reportPath}`);
  return 0;
}

/** Only warns if it can't write: why the run broke off matters more. */
async function writePartial(run: Run, outlets: Outlets, error: unknown): Promise<void> {
  const { output } = outlets;
  try {
    await leave(makeRecord(run, reasonOf(error)), outlets);
    print(
      `Partial record after ${formatCount(run.state.stepsDone)} steps: ${output.recordPath}, ${output.reportPath}`,
    );
  } catch (unwritten) {
    warn(`no partial record: ${reasonOf(unwritten)}`);
  }
}

/** Writes the files. The live page shows the end even if they could not be written. */
async function leave(record: RunRecord, { output, live }: Outlets): Promise<void> {
  let reportPath: string | null = null;
  try {
    await output.write(record);
    ({ reportPath } = output);
  } finally {
    await live?.end(record, reportPath);
  }
}

async function trainWithProgress(
  run: Run,
  { events, output }: Outlets,
  signal: AbortSignal,
): Promise<void> {
  const { data, trainer, stepsPlanned, state } = run;
  const { learningRate, validateEvery: every = Infinity } = run.options;
  const progress = startProgress(stepsPlanned, process.stderr, signal);
  const keepRecord = recordKeeper(run, output);
  try {
    await runLoop(run, {
      signal,
      afterStep: async (step) => {
        if (step % every === 0 && step < stepsPlanned) await validate(run, step, events, signal);
        await keepRecord();
      },
      onStep: (now, loss) => {
        const { stepsDone: step, smoothedLoss, elapsedMs } = now;
        const lastSyncMs = trainer.stats()?.lastSyncMs;
        progress.update({ step, smoothedLoss, elapsedMs, lastSyncMs });
        if (loss !== null) events?.addPoint(now, loss, learningRate);
      },
    });
  } finally {
    progress.stop();
  }
  print(
    `Trained ${formatCount(state.stepsDone)} steps in ${formatMs(state.elapsedMs)}; testing on ${data.testNote}`,
  );
}

/** Writes the record of the run so far every RECORD_MS, for a run that is killed; gives up at the first failure. */
function recordKeeper(run: Run, output: Output): () => Promise<void> {
  let next = performance.now() + RECORD_MS;
  return async () => {
    if (performance.now() < next) return;
    next = performance.now() + RECORD_MS;
    try {
      await output.writeRecord(makeRecord(run, RUNNING));
    } catch (error) {
      next = Infinity;
      warn(`no record before the end: ${reasonOf(error)}`);
    }
  };
}

/** Evaluates the fast weights, and the slow ones if there are any. */
async function validate(
  { data, model, trainer, validation }: Run,
  step: number,
  events: TensorBoard | null,
  signal: AbortSignal,
): Promise<EvaluationRecord[]> {
  const test = async (weights: 'fast' | 'slow'): Promise<EvaluationRecord> => {
    const found = await evaluate(model, data.testBatches(EVALUATION_BATCH), signal);
    return { weights, ...found };
  };
  const fast = await test('fast');
  const slow = await trainer.withSlowWeights(() => test('slow'));
  const tested = slow === undefined ? [fast] : [fast, slow];
  for (const one of tested) events?.addEvaluation(one, step);
  validation.step.push(step);
  validation.fast.push(fast.loss);
  validation.slow.push(slow?.loss ?? null);
  return tested;
}

async function openLivePage(run: Run): Promise<LivePage | null> {
  const { live: port } = run.options;
  if (port === undefined) return null;
  const live = await startLivePage({
    port: port === true ? 0 : port,
    record: () => makeRecord(run, RUNNING),
    warn,
  });
  print(`Live    ${live.url}`);
  return live;
}

async function openEvents({ tensorboard }: TrainOptions): Promise<TensorBoard | null> {
  if (tensorboard === undefined) return null;
  const events = await openTensorBoard(tensorboard, warn);
  print(`Events  ${events.path}`);
  return events;
}

function countSteps(options: TrainOptions, data: DataSet): number {
  const { epochs = 0, steps, batchSize, accumulate } = options;
  if (batchSize > data.trainCount) {
    throw new UsageError(
      `--batch-size is ${batchSize}, but ${data.name} has only ${data.trainCount} examples to train on.`,
    );
  }
  if (steps !== undefined) return steps;
  const perEpoch = Math.floor(data.trainCount / (batchSize * accumulate));
  if (perEpoch > 0) return epochs * perEpoch;
  throw new UsageError(
    `An epoch of ${data.name} has ${formatCount(Math.floor(data.trainCount / batchSize))} batches, fewer than --accumulate ${accumulate}. Take a smaller one, or give --steps.`,
  );
}

/** A sync may find weights that are not finite before a loss is read. */
function withRemedy(error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error) || error.code !== 'NON_FINITE') return error;
  return new RunError(error.message, 'Try a smaller --learning-rate, or another --inner', {
    cause: error,
  });
}

function warn(message: string): void {
  say(`warning: ${message}`);
}
