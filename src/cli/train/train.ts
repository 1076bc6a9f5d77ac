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
import type { EvaluationRecord, RunRecord } from '../../records/run-record.js';
import { NO_SINK, pointTeller, type Run, type RunSink } from './run.js';
import { openTensorBoard } from '../tensorboard/sink.js';
import type { TrainOptions } from './options.js';
import { makeTrainer } from './trainer.js';
import { newLoopState, runLoop } from './loop.js';

const EVALUATION_BATCH = 250;

const NO_METER = { beginStep() {} };

/** Trains, prints, writes; resolves to the exit code. */
export async function train(options: TrainOptions, toolVersion: string): Promise<number> {
  const startedAt = new Date();
  const engine = await startEngine(options.engine, options.model, options.vram);
  say(`Engine  ${engine.name}${engine.note === '' ? '' : ` (${engine.note})`}`);
  const data = await loadData(options.data, options.dataDir, (message) =>
    console.error(`warning: ${message}`),
  );
  const stepsPlanned = countSteps(options, data);
  say(
    `Data    ${data.name}: ${formatCount(data.trainCount)} to train on, ${formatCount(data.testCount)} to test`,
  );
  const output = await prepareOutput(options.out);
  const metered = options.timeline === true ? meter() : null; // before there are weights
  const model = makeModel(options.model, data, options.seed);
  say(
    `Model   ${model.description}: ${formatCount(countParameters(model))} parameters, ${formatBytes(4 * countParameters(model))}`,
  );
  try {
    const trainer = makeTrainer(options, model.variables);
    try {
      const run: Omit<Run, 'sink'> = {
        options,
        toolVersion,
        startedAt,
        data,
        engine,
        model,
        trainer,
        stepsPlanned,
        state: newLoopState(),
        evaluations: [],
        validation: { step: [], fast: [], slow: [] },
        meter: metered,
      };
      const live = await openLivePage(run);
      try {
        const sink = await openSink(options); // last, because it makes a file
        return await trainAndRecord({ ...run, sink }, output, live);
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

async function trainAndRecord(run: Run, output: Output, live: LivePage | null): Promise<number> {
  const interrupt = listenForInterrupt();
  try {
    await trainWithProgress(run, interrupt.signal);
    run.meter?.stop(); // testing belongs to no step
    await evaluateBoth(run, interrupt.signal);
    await run.trainer.finish();
  } catch (error) {
    await writePartial(run, output, live, error);
    if (!(error instanceof Interrupted)) throw withRemedy(error);
    console.error(`slowlane: ${error.message}`);
    return error.exitCode;
  } finally {
    await run.sink.close();
    interrupt.release();
  }
  const record = makeRecord(run, 'done');
  try {
    await leave(record, output, live);
  } finally {
    say(summaryText(record, process.stdout.isTTY ? process.stdout.columns : undefined));
  }
  say(`Record  ${output.recordPath}\nReport  ${output.reportPath}`);
  return 0;
}

/** Only warns if it can't write: why the run broke off matters more. */
async function writePartial(
  run: Run,
  output: Output,
  live: LivePage | null,
  error: unknown,
): Promise<void> {
  try {
    await leave(makeRecord(run, reasonOf(error)), output, live);
    say(
      `Partial record after ${formatCount(run.state.stepsDone)} steps: ${output.recordPath}, ${output.reportPath}`,
    );
  } catch (unwritten) {
    console.error(`warning: no partial record: ${reasonOf(unwritten)}`);
  }
}

/** Writes the files. The live page shows the end even if they could not be written. */
async function leave(record: RunRecord, output: Output, live: LivePage | null): Promise<void> {
  let reportPath: string | null = null;
  try {
    await output.write(record);
    ({ reportPath } = output);
  } finally {
    await live?.end(record, reportPath);
  }
}

async function trainWithProgress(run: Run, signal: AbortSignal): Promise<void> {
  const { data, model, trainer, stepsPlanned, state } = run;
  const { batchSize, accumulate, seed, validateEvery: every = Infinity } = run.options;
  const progress = startProgress(stepsPlanned, process.stderr, signal);
  const tell = pointTeller(run.sink, run.options.learningRate);
  try {
    await runLoop(
      {
        data,
        model,
        trainer,
        steps: stepsPlanned,
        batchSize,
        accumulate,
        seed,
        signal,
        meter: run.meter ?? NO_METER,
        afterStep: async (step) => {
          if (step % every === 0 && step < stepsPlanned) await validate(run, step, signal);
        },
        onStep: (now, loss) => {
          const { stepsDone: step, smoothedLoss, elapsedMs } = now;
          const lastSyncMs = trainer.stats()?.lastSyncMs;
          progress.update({ step, smoothedLoss, elapsedMs, lastSyncMs });
          if (loss !== null) tell(now, loss);
        },
      },
      state,
    );
  } finally {
    progress.stop();
  }
  say(
    `Trained ${formatCount(state.stepsDone)} steps in ${formatMs(state.elapsedMs)}; testing on ${data.testNote}`,
  );
}

async function evaluateBoth(run: Run, signal: AbortSignal): Promise<void> {
  const { fast, slow } = await validate(run, run.state.stepsDone, signal);
  run.evaluations.push(fast, ...(slow === undefined ? [] : [slow]));
}

async function validate(
  { data, model, trainer, validation, sink }: Run,
  step: number,
  signal: AbortSignal,
): Promise<{ fast: EvaluationRecord; slow: EvaluationRecord | undefined }> {
  const test = async (weights: 'fast' | 'slow'): Promise<EvaluationRecord> => {
    const found = await evaluate(model, data.testBatches(EVALUATION_BATCH), signal);
    return { weights, ...found };
  };
  const fast = await test('fast');
  const slow = await trainer.withSlowWeights(() => test('slow'));
  for (const one of [fast, slow]) if (one !== undefined) sink.onEvaluation(one, step);
  validation.step.push(step);
  validation.fast.push(fast.loss);
  validation.slow.push(slow?.loss ?? null);
  return { fast, slow };
}

async function openLivePage(run: Omit<Run, 'sink'>): Promise<LivePage | null> {
  const { live: port } = run.options;
  if (port === undefined) return null;
  const live = await startLivePage({
    port: port === true ? 0 : port,
    record: () => makeRecord(run, 'running'),
    warn: (message) => console.error(`warning: ${message}`),
  });
  say(`Live    ${live.url}`);
  return live;
}

async function openSink({ tensorboard }: TrainOptions): Promise<RunSink> {
  if (tensorboard === undefined) return NO_SINK;
  const events = await openTensorBoard(tensorboard, (message) =>
    console.error(`warning: ${message}`),
  );
  say(`Events  ${events.path}`);
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

function say(text: string): void {
  console.log(text);
}
