// Prints how the house stands: node scripts/structure.mjs [folder of a checkout]
//
// Files and lines of each room, imports that run up, cycles, the longest files and functions.
// "Loose" are files right in a folder, not in one below it.

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

import Table from 'cli-table3';
import { cruise } from 'dependency-cruiser';
import extractTSConfig from 'dependency-cruiser/config-utl/extract-ts-config';
import ts from 'typescript';

import rules from '../.dependency-cruiser.mjs';
import { ROOMS } from './rooms.mjs';

const BARE = Object.fromEntries(
  ['top', 'bottom', 'left', 'right', 'mid'].flatMap((side) =>
    ['', '-mid', '-left', '-right'].map((at) => [`${side}${at}`, '']),
  ),
);
const MOST_LOOSE = 15;
const MOST_SHOWN = 5;
const MOST_BROKEN = 20;

process.chdir(resolve(process.argv[2] ?? '.'));
const tops = ['src', 'workers', 'bench'];
const { output } = await cruise(
  tops,
  { ...rules.options, ruleSet: { forbidden: rules.forbidden }, validate: true },
  null,
  { tsConfig: extractTSConfig('tsconfig.json') },
);
const files = output.modules
  .map(({ source }) => source)
  .filter((file) => /^(src|workers|bench)\/.*\.(ts|js|css)$/.test(file) && !file.endsWith('.d.ts'))
  .map((file) => ({ file, text: readFileSync(file, 'utf8') }))
  .map(({ file, text }) => ({
    file,
    text,
    lines: text.split('\n').length - 1,
    code: codeLines(text),
  }));

printRooms();
printFolders();
printBroken();
console.log(`\nLongest files:   ${longest(files)}`);
console.log(`Longest functions: ${longest(files.flatMap(functionsOf))}`);

function printRooms() {
  const rooms = ROOMS.map(({ room }) => `src/${room}`);
  const roomOf = (file) =>
    rooms
      .filter((room) => file.startsWith(`${room}/`))
      .toSorted((a, b) => b.length - a.length)[0] ??
    file
      .split('/')
      .slice(0, file.startsWith('src/') ? -1 : 1)
      .join('/');
  const table = new Table({
    head: ['room', 'files', 'lines', 'of code'],
    colAligns: ['left', 'right', 'right', 'right'],
    chars: { ...BARE, middle: ' ' },
    style: { head: [], border: [] },
  });
  const found = [...new Set(files.map(({ file }) => roomOf(file)))];
  const inOrder = [
    ...rooms.filter((room) => found.includes(room)),
    ...found.filter((room) => !rooms.includes(room)),
  ];
  for (const room of inOrder) {
    const own = files.filter(({ file }) => roomOf(file) === room);
    table.push([room, own.length, sum(own, 'lines'), sum(own, 'code')]);
  }
  const srcAndBench = files.filter(({ file }) => !file.startsWith('workers/'));
  table.push([
    'src + bench',
    srcAndBench.length,
    sum(srcAndBench, 'lines'),
    sum(srcAndBench, 'code'),
  ]);
  console.log(String(table));
}

function printFolders() {
  const loose = new Map();
  for (const { file } of files) {
    const folder = file.slice(0, file.lastIndexOf('/'));
    loose.set(folder, (loose.get(folder) ?? 0) + 1);
  }
  const most = [...loose].toSorted((a, b) => b[1] - a[1]);
  const over = most.filter(([, count]) => count > MOST_LOOSE);
  console.log(`Folders: ${most.length}. Most loose files: ${shown(most.slice(0, MOST_SHOWN))}.`);
  console.log(
    `Folders of more than ${MOST_LOOSE} loose files: ${over.length === 0 ? 0 : shown(over)}.`,
  );
}

function printBroken() {
  const violations = output.summary.violations;
  const cycles = violations.filter(({ rule }) => rule.name === 'no cycle');
  const others = violations.filter(({ rule }) => rule.name !== 'no cycle');
  console.log(`Imports that break the layer rule: ${others.length}. Cycles: ${cycles.length}.`);
  for (const { from, to, rule } of violations.slice(0, MOST_BROKEN)) {
    console.log(`  ${from} -> ${to} (${rule.name})`);
  }
  if (violations.length > MOST_BROKEN) console.log(`  and ${violations.length - MOST_BROKEN} more`);
}

/** Each function with its lines; one that stands in another counts for both. */
function functionsOf({ file, text }) {
  if (!/\.(ts|js)$/.test(file)) return [];
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const found = [];
  const lineAt = (position) => source.getLineAndCharacterOfPosition(position).line;
  const visit = (node) => {
    if (ts.isFunctionLike(node) && node.body !== undefined) {
      const name = node.name?.getText() ?? node.parent?.name?.getText?.() ?? 'anonymous';
      found.push({
        file: `${file}:${name}`,
        lines: lineAt(node.end) - lineAt(node.getStart()) + 1,
      });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function longest(of) {
  const most = of.toSorted((a, b) => b.lines - a.lines).slice(0, MOST_SHOWN);
  return shown(most.map(({ file, lines }) => [file, lines]));
}

/** Lines that are not blank and not comment alone. */
function codeLines(text) {
  const scanner = ts.createScanner(ts.ScriptTarget.Latest, true, ts.LanguageVariant.Standard, text);
  const starts = [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)];
  const lines = new Set();
  let line = 0;
  while (scanner.scan() !== ts.SyntaxKind.EndOfFileToken) {
    while (starts[line + 1] <= scanner.getTokenStart()) line++;
    for (let at = line; starts[at] < scanner.getTokenEnd(); at++) lines.add(at);
  }
  return lines.size;
}

function sum(of, key) {
  return of.reduce((total, one) => total + one[key], 0);
}

function shown(pairs) {
  return pairs.map(([name, count]) => `${name} ${count}`).join(', ');
}
