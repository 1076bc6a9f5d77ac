// What the mutation script keeps of a run.

import { expect, test } from 'vitest';

import { page, reasonOf } from '../../scripts/mutation/page.js';
import { type Mutant, resultOf, scoreOf, unnoticed } from '../../scripts/mutation/result.js';

const SOURCE = `const a = 1;\n  const b = a + a;\nconst c = [\n  ${'a, '.repeat(60)}\n];\n`;
const at = (line: number, column: number) => ({ line, column });
const mutant = (status: string, replacement: string, start = at(2, 13), end = at(2, 18)) => ({
  status,
  replacement,
  location: { start, end },
});

const result = resultOf(
  {
    files: {
      'src/x.ts': {
        source: SOURCE,
        mutants: [
          mutant('Killed', '1'),
          mutant('Killed', '2'),
          mutant('Timeout', '3'),
          mutant('Survived', 'a - a'),
          mutant('NoCoverage', '[]', at(3, 11), at(5, 2)),
          mutant('Ignored', '""'),
          mutant('CompileError', '?'),
        ],
      },
    },
  },
  { date: '2026-11-30', commit: 'abc' },
);
const survived: Mutant = {
  file: 'src/x.ts',
  line: 'const b = a + a;',
  original: 'a + a',
  replacement: 'a - a',
};

test('the counts, and the mutants that no test noticed by their source text', () => {
  expect(result).toMatchObject({ killed: 2, timedOut: 1, survived: [survived] });
  // A long text is cut, with a hash of the whole.
  expect(result.notCovered[0]?.line).toBe('const c = [');
  expect(result.notCovered[0]?.original).toMatch(/^\[ (a, )+a?,?… #[0-9a-f]{8}$/);
  expect(scoreOf(result)).toBe(60); // 3 of 5
});

test('the page has a row for the room, and each survivor with its argument or without', () => {
  const equivalents = [{ ...survived, reason: 'No difference.' }];
  const written = page([{ room: 'x', result, equivalents }]);
  expect(written).toContain('| x | 5 | 2 | 1 | 1 | 1 | 1 | 60.0 % | 2026-11-30 | abc |');
  expect(written).toContain(
    '- src/x.ts: `a + a` → `a - a` in `const b = a + a;`. No difference.\n',
  );
  expect(written).toMatch(/→ `\[\]` in `const c = \[`\. \*\*No argument\.\*\*\n/);
  const reasons = unnoticed(result).map((one) => reasonOf(one, equivalents));
  expect(reasons).toEqual(['No difference.', undefined]);
});
