// Adds to package-lock.json the optional packages of other platforms that are missing from it.
//
// npm writes down only what the registry at hand serves; where it serves one platform's binaries, the
// lock file lacks the others', and `npm ci` (npm 11) then refuses it everywhere. Run it after
// `npm install`: node scripts/complete-lock.mjs

import { readFileSync, writeFileSync } from 'node:fs';

const file = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(file, 'utf8'));
const OS = /android|darwin|freebsd|linux|netbsd|openbsd|openharmony|sunos|aix|win32/;
const CPU = /arm64|loong64|mips64el|ppc64|riscv64|s390x|x64|ia32|arm/;
let added = 0;

for (const [path, owner] of Object.entries({ ...lock.packages })) {
  for (const [name, range] of Object.entries(owner.optionalDependencies ?? {})) {
    if (lock.packages[`${path}/node_modules/${name}`] || lock.packages[`node_modules/${name}`])
      continue;
    const platform = name.split('/').pop();
    const [os] = OS.exec(platform) ?? [];
    const [cpu] = CPU.exec(platform) ?? [];
    lock.packages[`node_modules/${name}`] = {
      version: range.replace(/^[\^~]/, ''),
      ...(cpu && { cpu: [cpu] }),
      ...(owner.dev && { dev: true }),
      ...(platform.includes('musl') && { libc: ['musl'] }),
      license: owner.license,
      optional: true,
      ...(os && { os: [os] }),
    };
    added++;
  }
}

const { '': root, ...packages } = lock.packages;
const sorted = Object.entries(packages).toSorted(([a], [b]) => (a < b ? -1 : 1));
lock.packages = { '': root, ...Object.fromEntries(sorted) };
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`${added} optional packages added to package-lock.json.`);
