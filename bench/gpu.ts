// The GPU benchmark: every cell in a fresh process, three meters of memory, raw values in one JSON file.
//   npm run bench:gpu -- --help
//   node dist/bench/gpu.js --out results/machine.json       on a machine without npm
//
// This file starts itself again for each cell: `gpu.js --cell NAME OPTIONS`.

import { fileURLToPath } from 'node:url';

const [, , flag, name, options] = process.argv;
if (flag === '--cell' && name !== undefined && options !== undefined) {
  const { runCellHere } = await import('../src/measure/cell-process.js');
  const { measureCell } = await import('./gpu/child.js');
  await runCellHere((enter) => measureCell(name, options, enter));
} else {
  const { runBench } = await import('./gpu/bench.js');
  process.exitCode = await runBench(process.argv, fileURLToPath(import.meta.url));
}
