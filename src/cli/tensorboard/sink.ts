// `--tensorboard DIR`: the run as scalars in a file of events.

import { resolve } from 'node:path';

import { reasonOf, RunError } from '../terminal/cli-error.js';
import { makeFolder } from '../train/output.js';
import type { EvaluationRecord } from '../../records/run-record.js';
import type { LoopState } from '../train/loop.js';
import { EventFile, eventFilesIn } from './event-file.js';

/** Makes `folder` if needed, and the file in it. `warn` gets problems that do not stop the run. */
export async function openTensorBoard(folder: string, warn: (message: string) => void) {
  const file = await makeFile(folder, warn);
  let before = { steps: 0, ms: 0 };
  return {
    path: file.path,
    /** A step whose loss was read. Its time is the mean of the steps since the previous point, syncs included. */
    addPoint(
      { stepsDone: step, smoothedLoss, elapsedMs, deviceBytes }: Readonly<LoopState>,
      loss: number,
      learningRate: number,
    ) {
      const stepMs = (elapsedMs - before.ms) / (step - before.steps);
      before = { steps: step, ms: elapsedMs };
      file.add(step, {
        'loss/batch': loss,
        'loss/smoothed': smoothedLoss,
        learning_rate: learningRate,
        step_ms: stepMs,
        device_bytes: deviceBytes,
      });
    },
    addEvaluation({ weights, loss, accuracy }: EvaluationRecord, step: number) {
      file.add(step, {
        [`test_loss/${weights}`]: loss ?? NaN,
        [`test_accuracy/${weights}`]: accuracy,
      });
    },
    /** Resolves when everything is written. Never rejects. */
    close: () => file.close(),
  };
}

export type TensorBoard = Awaited<ReturnType<typeof openTensorBoard>>;

async function makeFile(folder: string, warn: (message: string) => void): Promise<EventFile> {
  try {
    await makeFolder(resolve(folder));
    const others = await eventFilesIn(folder);
    if (others.length > 0) {
      warn(
        `--tensorboard ${folder} has events of other runs, and TensorBoard shows one folder as one run. ` +
          `Give each its own: --tensorboard ${folder}/NAME`,
      );
    }
    return await EventFile.create(folder, (reason) =>
      warn(`--tensorboard ${folder} can no longer be written: ${reason}. Training goes on.`),
    );
  } catch (error) {
    throw new RunError(
      `--tensorboard ${folder} can't be written to: ${reasonOf(error)}.`,
      'Give a folder that you may write to: --tensorboard DIR',
      { cause: error },
    );
  }
}
