// What one training run was and what came of it: the content of run.json, and all that the report
// knows. Plain data, so that it survives JSON unchanged.

import type { TimelineData } from '../meter/timeline.js';
import type { StepTimes } from './step-times.js';

/** Rises when the layout changes in a way that readers must know of. */
export const RUN_RECORD_VERSION = 2;

export interface RunRecord {
  readonly version: typeof RUN_RECORD_VERSION;
  readonly tool: 'slowlane';
  readonly toolVersion: string;
  /** True when the run was stopped or failed before its end; `ended` says how. */
  readonly partial: boolean;
  /** `'done'`, or why it stopped. */
  readonly ended: string;
  /** ISO 8601. */
  readonly startedAt: string;
  /** Arguments as they were given. */
  readonly command: readonly string[];
  /** Every option with its value, defaults too. */
  readonly options: Readonly<Record<string, string | number | boolean>>;
  readonly engine: EngineRecord;
  /** Version of Node. */
  readonly node: string;
  readonly platform: PlatformRecord;
  readonly seed: number;
  readonly data: DataRecord;
  readonly model: ModelRecord;
  readonly steps: { readonly planned: number; readonly done: number };
  /** Milliseconds: `training` is the loop with its syncs, `total` is everything from start to end. */
  readonly wallMs: { readonly training: number; readonly total: number };
  readonly losses: readonly LossPoint[];
  readonly evaluations: readonly EvaluationRecord[];
  readonly validation: ValidationRecord;
  /** Null in records of version 1. */
  readonly stepTimes: StepTimes | null;
  /** Null without `--timeline`. */
  readonly timeline: TimelineData | null;
  readonly memory: MemoryRecord;
  /** Null without Lookahead. */
  readonly sync: SyncRecord | null;
}

export interface EngineRecord {
  readonly name: string;
  /** Why preferred ones were passed over; empty where none was. */
  readonly note: string;
}

export interface PlatformRecord {
  /** `linux x64`. */
  readonly system: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
}

export interface DataRecord {
  readonly name: string;
  readonly trainCount: number;
  readonly testCount: number;
  /** Which examples were evaluated on. */
  readonly testNote: string;
}

export interface ModelRecord {
  readonly name: string;
  readonly description: string;
  readonly parameters: number;
}

export interface LossPoint {
  readonly step: number;
  /** Mean cross-entropy of the step's batch before the step; null where it was not finite. */
  readonly loss: number | null;
}

export interface EvaluationRecord {
  readonly weights: 'fast' | 'slow';
  readonly loss: number | null;
  /** Share of right answers, 0 to 1. */
  readonly accuracy: number;
}

/** Loss on test data in the course of training, in columns; the last is that of `evaluations`. */
export interface ValidationRecord {
  readonly step: readonly number[];
  readonly fast: readonly (number | null)[];
  /** Nulls without Lookahead. */
  readonly slow: readonly (number | null)[];
}

export interface HostMemory {
  /** All slow weights. */
  readonly slowBytes: number;
  /** Slots that chunks pass through during a sync. */
  readonly stagingBytes: number;
}

export interface MemoryRecord {
  /** Bytes of one copy of the trained weights. */
  readonly weightBytes: number;
  /** Highest number of bytes tfjs held between two batches: weights, inner state, sums of micro-batches; not what lives inside a batch. */
  readonly deviceBytes: number;
  /** Null without Lookahead. */
  readonly host: HostMemory | null;
  /** Host memory that the device reaches at the end: slow weights with their staging, and moments. Left out where the engine keeps none. */
  readonly reachedHostBytes?: number;
}

export interface SyncRecord {
  readonly syncs: number;
  readonly totalMs: number;
  readonly pullMs: number;
  readonly blendMs: number;
  readonly pushMs: number;
  /** Looking for non-finite weights. */
  readonly checkMs: number;
  readonly bytesPulled: number;
  readonly bytesPushed: number;
  /** Where blends ran: `1 worker`, `inline`. */
  readonly workers: string;
}

/** The text of run.json. */
export function runRecordToJson(record: RunRecord): string {
  return `${JSON.stringify(record, null, 2).replaceAll(COLUMN, withoutSpace)}\n`;
}

/** Numbers and nulls, a line each. No text of JSON has such an end of line in it. */
const COLUMN = /\[\n[-+\d.enul,\s]+\]/gi;

function withoutSpace(text: string): string {
  return text.replaceAll(/\s+/g, '');
}

/** Whether `text` is a run record of any version: such a file may be replaced by a newer one. */
export function isRunRecord(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return (
      typeof value === 'object' && value !== null && 'tool' in value && value.tool === 'slowlane'
    );
  } catch {
    return false;
  }
}
