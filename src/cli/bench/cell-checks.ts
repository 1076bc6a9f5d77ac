// What goes together in `bench memory`, `speed` and `sync`: engines, models, policies.

import {
  ALL_POLICIES,
  type BenchEngine,
  type BenchPolicy,
  lacksPolicy,
} from '../../measure/workloads/policies.js';
import type { WorkloadName } from '../../measure/workloads/workloads.js';
import { needsConvolutions, WASM_LIMIT } from '../../models/names.js';
import { UsageError } from '../terminal/cli-error.js';

/** Undefined: not given. */
export interface GivenCell {
  readonly engine: BenchEngine;
  readonly model: WorkloadName;
  readonly layers?: number;
  readonly width?: number;
  readonly adapter?: string;
  /** Names of policies. */
  readonly policy?: readonly string[];
}

/** Throws a UsageError where they don't go together. */
export function checkCell({ engine, model, layers, width, adapter }: GivenCell): void {
  if (engine !== 'webgpu' && adapter !== undefined) {
    throw new UsageError(
      `--adapter ${adapter} chooses an adapter of WebGPU, but --engine is ${engine}. ` +
        `Leave out --adapter, or use --engine webgpu.`,
    );
  }
  if (model === 'stack') return;
  const ofStack = [
    ...(layers === undefined ? [] : ['--layers']),
    ...(width === undefined ? [] : ['--width']),
  ];
  if (ofStack.length > 0) {
    throw new UsageError(
      `--model ${model} has one size, which leaves nothing to ${ofStack.join(' and ')}. ` +
        `Leave out one or the other, or use --model stack.`,
    );
  }
  if (engine === 'wasm' && needsConvolutions(model)) {
    throw new UsageError(
      `--engine wasm with --model ${model}: ${WASM_LIMIT}. Use --engine webgpu, cpu or tensorflow.`,
    );
  }
}

/** Those asked for, else all that the engine has. Throws a UsageError for one that it has not. */
export function policiesFor({ engine, policy }: GivenCell): readonly BenchPolicy[] {
  const there = ALL_POLICIES.filter((one) => lacksPolicy(engine, one) === null);
  if (policy === undefined) return there;
  const chosen = ALL_POLICIES.filter(({ name }) => policy.includes(name));
  for (const one of chosen) {
    const reason = lacksPolicy(engine, one);
    if (reason === null) continue;
    throw new UsageError(
      `--policy ${one.name} is none of --engine ${engine}: ${reason}. ` +
        `It has: ${there.map(({ name }) => name).join(', ')}.`,
    );
  }
  return chosen;
}
