// Writes docs/*.schema.json from the definitions in src and bench. `--check` writes nothing and exits with 1 if a committed
// file is not what the definitions give.
import { readFileSync, writeFileSync } from 'node:fs';

import { GPU_RECORD } from '../bench/gpu/record.js';
import { PARITY_RECORD } from '../bench/parity/record.js';
import { BENCH_RECORD } from '../src/cli/bench/record.js';
import { RUN_RECORD } from '../src/records/run-record.js';

const RECORDS = [BENCH_RECORD, GPU_RECORD, PARITY_RECORD, RUN_RECORD];

for (const schema of RECORDS) {
  const name = `docs/${schema.$id.split(':')[2]}.schema.json`;
  const file = new URL(`../${name}`, import.meta.url);
  const fresh = `${JSON.stringify(schema, null, 2)}\n`;
  if (!process.argv.includes('--check')) writeFileSync(file, fresh);
  else if (readFileSync(file, 'utf8') !== fresh) {
    console.error(`${name} is not what its definition in src gives: run \`npm run schemas\`.`);
    process.exitCode = 1;
  }
}
