// test/mutation/README.md, from the committed results and the arguments.

import {
  sameMutant,
  scoreOf,
  unnoticed,
  type Equivalent,
  type Mutant,
  type Result,
} from './result.js';

export interface RoomResult {
  readonly room: string;
  readonly result: Result;
  readonly equivalents: readonly Equivalent[];
}

const HEAD = [
  'room',
  'mutants',
  'killed',
  'timed out',
  'survived',
  'not covered',
  'argued',
  'score',
  'run',
  'commit',
];

export function page(rooms: readonly RoomResult[]): string {
  const rows = rooms.map(({ room, result, equivalents }) => {
    const { killed, timedOut, survived, notCovered, date, commit } = result;
    const left = unnoticed(result);
    return [
      room,
      killed + timedOut + left.length,
      killed,
      timedOut,
      survived.length,
      notCovered.length,
      left.filter((mutant) => reasonOf(mutant, equivalents) !== undefined).length,
      `${scoreOf(result).toFixed(1)} %`,
      date,
      commit,
    ];
  });
  const rule = HEAD.map((_, i) => (i > 0 && i < 8 ? '-:' : '-'));
  const table = [HEAD, rule, ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
  return `# Mutation testing

\`npm run mutation\` changes the code in one place at a time and runs the tests: at least one has to fail.
It writes this page, with a list of the changes that no test notices and why.

${table}
${rooms.map(survivors).join('')}`;
}

function survivors({ room, result, equivalents }: RoomResult): string {
  const left = unnoticed(result);
  if (left.length === 0) return '';
  const lines = left.map((mutant) => {
    const { file, line, original, replacement } = mutant;
    const change = `${code(original)} → ${code(replacement)}`;
    const where = original === line ? '' : ` in ${code(line)}`;
    return `- ${file}: ${change}${where}. ${reasonOf(mutant, equivalents) ?? '**No argument.**'}`;
  });
  return `\n## ${room}\n\n${lines.join('\n')}\n`;
}

export function reasonOf(mutant: Mutant, equivalents: readonly Equivalent[]): string | undefined {
  return equivalents.find((argued) => sameMutant(argued, mutant))?.reason;
}

const code = (text: string) => (text.includes('`') ? `\`\` ${text} \`\`` : `\`${text}\``);
