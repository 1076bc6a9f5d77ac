// Starts each probe in its own process, because drivers, native code and reads of files may crash or hang.

import { fileURLToPath } from 'node:url';

import { runCell } from '../../measure/process/run-cell.js';
import type { Probes } from './probe-main.js';

/** null: the probe takes no request. */
export type ProbeRequests = {
  readonly [Name in keyof Probes]: Parameters<Probes[Name]> extends [infer Request]
    ? Request
    : null;
};
export type ProbeResults = { readonly [Name in keyof Probes]: Awaited<ReturnType<Probes[Name]>> };

/** The result of a probe, or why it failed, and what it printed. */
export interface ProbeEnd<R> {
  readonly result: R | null;
  readonly failed: string | null;
  readonly output: string;
}

export type StartProbe = <Name extends keyof ProbeRequests>(
  name: Name,
  request: ProbeRequests[Name],
) => Promise<ProbeEnd<ProbeResults[Name]>>;

const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
const file = fileURLToPath(new URL(`./probe-main${extension}`, import.meta.url));
const OUTPUT_CHARACTERS = 20_000;

export function probeStarter(timeoutMs: number, signal: AbortSignal): StartProbe {
  return async (name, request) => {
    let output = '';
    const onOutput = (text: string) => {
      output = (output + text).slice(0, OUTPUT_CHARACTERS);
    };
    const { result, failure } = await runCell<ProbeResults[typeof name]>(
      { file, args: [name, JSON.stringify(request)] },
      { timeoutMs, signal, onOutput },
    );
    signal.throwIfAborted();
    if (failure === null) return { result, failed: null, output };
    const { kind, reason } = failure;
    return { result, failed: kind === 'error' ? reason : `${kind}: ${reason}`, output };
  };
}
