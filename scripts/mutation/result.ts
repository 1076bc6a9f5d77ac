// What is kept of a run: the counts, and the mutants that no test noticed. A mutant is known by its source text, so that
// an argument about it outlives edits elsewhere in the file.

import { createHash } from 'node:crypto';

export interface Mutant {
  readonly file: string;
  /** The line on which the mutated code begins. */
  readonly line: string;
  readonly original: string;
  readonly replacement: string;
}

/** A mutant that behaves like the original for every input. */
export interface Equivalent extends Mutant {
  readonly reason: string;
}

export interface Result {
  readonly date: string;
  readonly commit: string;
  readonly killed: number;
  readonly timedOut: number;
  readonly survived: readonly Mutant[];
  readonly notCovered: readonly Mutant[];
}

/** The part of Stryker's JSON report that is read here. Lines and columns count from 1. */
export interface StrykerReport {
  readonly files: Record<
    string,
    {
      readonly source: string;
      readonly mutants: readonly {
        readonly status: string;
        readonly replacement: string;
        readonly location: { readonly start: Position; readonly end: Position };
      }[];
    }
  >;
}

interface Position {
  readonly line: number;
  readonly column: number;
}

/** Words of messages are not mutated, and mutants that do not compile are not counted. */
export function resultOf(report: StrykerReport, run: { date: string; commit: string }): Result {
  const all = Object.entries(report.files).flatMap(([file, { source, mutants }]) =>
    mutants.map(({ status, replacement, location: { start, end } }) => {
      const lines = source.split('\n');
      const offset = ({ line, column }: Position) =>
        lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, column - 1);
      return {
        status,
        mutant: {
          file,
          line: lines[start.line - 1]?.trim() ?? '',
          original: short(source.slice(offset(start), offset(end))),
          replacement: short(replacement),
        },
      };
    }),
  );
  const of = (wanted: string) =>
    all.filter(({ status }) => status === wanted).map(({ mutant }) => mutant);
  return {
    ...run,
    killed: of('Killed').length,
    timedOut: of('Timeout').length,
    survived: of('Survived'),
    notCovered: of('NoCoverage'),
  };
}

const LONGEST = 100;

/** On one line. Of a long text the beginning, and a hash of the whole. */
function short(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ');
  if (line.length <= LONGEST) return line;
  const hash = createHash('sha256').update(line).digest('hex').slice(0, 8);
  return `${line.slice(0, LONGEST)}… #${hash}`;
}

/** Killed and timed out, of all that were tried. */
export function scoreOf({ killed, timedOut, survived, notCovered }: Result): number {
  const noticed = killed + timedOut;
  return (100 * noticed) / (noticed + survived.length + notCovered.length);
}

export function unnoticed({ survived, notCovered }: Result): readonly Mutant[] {
  return [...survived, ...notCovered];
}

export function sameMutant(a: Mutant, b: Mutant): boolean {
  return (
    a.file === b.file &&
    a.line === b.line &&
    a.original === b.original &&
    a.replacement === b.replacement
  );
}
