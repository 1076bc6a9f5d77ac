// One cell, in this process, which was started for it.

import type { AdapterRecord, CellOptions, CellValues, Failure, Phase } from './record.js';
import { cellNamed } from './cells.js';

/** What the child tells its parent. */
export type Message =
  | { readonly type: 'phase'; readonly phase: Phase; readonly atMs: number }
  | { readonly type: 'values'; readonly values: CellValues }
  | {
      readonly type: 'machine';
      readonly adapter: AdapterRecord;
      readonly tfjsVersion: string;
    }
  | { readonly type: 'failed'; readonly failure: Failure };

export async function runCellHere(name: string, optionsJson: string): Promise<void> {
  // Ctrl-C in a terminal goes to this process too; the parent ends it when it has its reasons.
  process.on('SIGINT', () => undefined);
  process.on('disconnect', () => process.exit(1));
  try {
    await tell(await resultOf(name, JSON.parse(optionsJson) as CellOptions));
  } catch (error) {
    await tell({ type: 'failed', failure: failureOf(error) });
  }
  // At once: workers and devices that still live would hold the process, and have nothing more to say.
  process.exit(0);
}

async function resultOf(name: string, options: CellOptions): Promise<Message> {
  const cell = cellNamed(name);
  if (cell === undefined) throw new Error(`There is no cell '${name}'.`);
  if (cell.kind === 'internal') {
    if (name === 'crash') process.kill(process.pid, 'SIGSEGV');
    return describeMachine(options);
  }
  const { Meters } = await import('./meters.js');
  const meters = new Meters('set-up', (phase) => {
    void tell({ type: 'phase', phase, atMs: Date.now() });
  });
  if (cell.kind === 'training') {
    const { measureTraining } = await import('./training.js');
    return { type: 'values', values: await measureTraining(name, options, meters) };
  }
  const { measureReference } = await import('./references.js');
  return { type: 'values', values: await measureReference(name, options, meters) };
}

async function describeMachine(options: CellOptions): Promise<Message> {
  const { findAdapter } = await import('./devices.js');
  const { adapter, name, software } = await findAdapter(options.adapter);
  const { vendor, architecture, description } = adapter.info;
  const maxBufferBytes = adapter.limits.maxBufferSize;
  const { version_core: tfjsVersion } = await import('@tensorflow/tfjs-core');
  return {
    type: 'machine',
    adapter: { name, software, vendor, architecture, description, maxBufferBytes },
    tfjsVersion,
  };
}

function failureOf(error: unknown): Failure {
  const reason = error instanceof Error ? error.message : String(error);
  const name = error instanceof Error ? error.name : '';
  const kind = (error as { kind?: unknown } | null)?.kind;
  const isMemory =
    kind === 'out-of-memory' ||
    name === 'VramBudgetError' ||
    /out.?of.?memory|Array buffer allocation failed/i.test(reason);
  return { kind: isMemory ? 'out of memory' : 'error', reason };
}

function tell(message: Message): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined) {
      console.log(JSON.stringify(message)); // started by hand
      resolve();
      return;
    }
    process.send(message, undefined, {}, () => resolve());
  });
}
