// test/ports/README.md: what the last run found.

import type { PartResult } from './parts.js';

export interface Committed extends PartResult {
  readonly run: string;
  readonly commit: string;
}

export function portsPage(results: readonly Committed[]): string {
  const rows = results.map(
    ({ part, outcome, notes, run, commit }) =>
      `| ${part} | ${outcome} | ${notes
        .filter((note) => !note.startsWith('{'))
        .map(cell)
        .join('; ')} | ${run} | ${commit} |`,
  );
  const measured = results
    .flatMap(({ notes }) => notes)
    .filter((note) => note.startsWith('{'))
    .map((note) => JSON.parse(note) as Record<string, unknown>)
    .filter(({ what }) => what === 'slow');
  return `# Other drivers, browsers and runtimes

\`npm run test:ports\` runs what needs more than npm packages, and writes this page. What a machine lacks is skipped. The
numbers of each part are in [results.json](results.json).

| part | outcome | with | run | commit |
| ---- | ------- | ---- | --- | ------ |
${rows.join('\n')}

## Where slow weights and moments are

Bytes in device memory of a second model beside a first: 8 weights of 1 MiB, \`slow: 'host:f32'\`, under a Vulkan layer that shows
the driver as a card ([counting-layer.c](counting-layer.c)). What is there of slow weights is the ring that they pass through: 1 MiB.

| driver | moments | VRAM | host heap | BAR | slow weights and moments in VRAM |
| ------ | ------- | ---- | --------- | --- | -------------------------------- |
${measured.map(slowRow).join('\n')}
`;
}

function slowRow(row: Record<string, unknown>): string {
  const { vramMiB, hostMiB, bar } = row['card'] as {
    vramMiB: number;
    hostMiB: number;
    bar: string;
  };
  const cells = [
    row['driver'],
    row['moments'],
    `${vramMiB / 1024} GiB`,
    `${hostMiB / 1024} GiB`,
    bar,
    `${Number(row['inVramMiB'])} MiB`,
  ];
  return `| ${cells.map(String).join(' | ')} |`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ').trim();
}
