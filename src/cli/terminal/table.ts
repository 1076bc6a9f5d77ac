// Text for the terminal: tables, wrapped lines, and plain lines where a terminal is too narrow for a table.

import Table from 'cli-table3';

type Rows = readonly (readonly string[])[];

/** The rows in one frame. The first `words` columns are words, the others quantities. */
export function framed(rows: Rows, head: readonly string[] = [], words = 1): string {
  const columns = Math.max(head.length, ...rows.map(({ length }) => length));
  const table = new Table({
    head: [...head],
    colAligns: Array.from({ length: columns }, (_, i) => (i < words ? 'left' : 'right')),
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' }, // no lines between rows
    style: { head: [], border: [] }, // no colours: the text may go to a file
  });
  table.push(...rows.map((row) => [...row]));
  return table.toString();
}

/** A table of at most `columns`, else one paragraph per row. Nothing without rows. */
export function tableText(
  head: readonly string[],
  rows: Rows,
  columns: number,
  words = 1,
): string[] {
  if (rows.length === 0) return [];
  const table = framed(rows, head, words);
  if (table.indexOf('\n') <= columns) return [table];
  return rows.map(([first = '', ...values]) => {
    const named = values.map((value, i) => `${head[i + 1]?.replace('\n', ' ')} ${value}`);
    const isMark = head[0] === '';
    const lead = isMark ? first || ' ' : `${first}:`;
    return wrapped([lead, named.join(isMark ? ', ' : ' ')].join(' '), columns);
  });
}

/** Breaks a line between words; what follows is indented to where its text begins. */
export function wrapped(line: string, columns: number): string {
  const indent = ' '.repeat(/^\s*(?:[-→✗!·] )?/.exec(line)?.[0].length ?? 0);
  const lines: string[] = [];
  let current = '';
  for (const word of line.split(/(?<=\S) /)) {
    const longer = current === '' ? word : `${current} ${word}`;
    if (longer.length > columns && current.trim() !== '') {
      lines.push(current);
      current = indent + word;
    } else current = longer;
  }
  return [...lines, current].join('\n');
}
