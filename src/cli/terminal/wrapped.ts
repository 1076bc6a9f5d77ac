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
