// Packages of Debian, its backports included, downloaded and unpacked into .cache without being installed. The
// mirrors are those that apt is set up with here.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/**
 * Unpacks the packages `names` and what they need that is not installed, from the backports where these have a newer one.
 * Returns the folder that stands for `/`.
 */
export function debianPackages(cache: string, name: string, names: readonly string[]): string {
  const folder = join(cache, name);
  if (existsSync(folder)) return folder;
  const apt = ownApt(join(cache, 'apt'));
  const making = `${folder}.making`;
  rmSync(making, { recursive: true, force: true });
  mkdirSync(join(making, 'debs'), { recursive: true });
  for (const deb of download(apt, names, join(making, 'debs'))) {
    execFileSync('dpkg-deb', ['-x', join(making, 'debs', deb), making]);
  }
  rmSync(join(making, 'debs'), { recursive: true });
  renameSync(making, folder);
  return folder;
}

/** The version of a package as it would be downloaded. */
export function debianVersion(cache: string, name: string): string {
  const shown = run('apt-cache', [...ownApt(join(cache, 'apt')).flags, 'policy', name]);
  return /Candidate: (\S+)/.exec(shown)?.[1] ?? 'unknown';
}

interface Apt {
  readonly flags: readonly string[];
  readonly backports: string;
}

/** Settings with which apt has lists of its own; the machine's are left alone. */
function ownApt(state: string): Apt {
  const flags = [
    `Dir::State=${state}`,
    `Dir::State::status=/var/lib/dpkg/status`,
    `Dir::Cache=${state}/cache`,
    `Dir::Etc::sourcelist=${state}/sources.list`,
    'Dir::Etc::sourceparts=/dev/null',
    'APT::Get::List-Cleanup=0',
  ].flatMap((flag) => ['-o', flag]);
  const codename = /VERSION_CODENAME=(\w+)/.exec(run('cat', ['/etc/os-release']))?.[1] ?? '';
  const backports = `${codename}-backports`;
  if (existsSync(join(state, 'sources.list'))) return { flags, backports };
  for (const sub of ['lists/partial', 'cache/archives/partial']) {
    mkdirSync(join(state, sub), { recursive: true });
  }
  const lines = run('apt-get', [
    'indextargets',
    '--format',
    '$(ORIGIN) $(REPO_URI) $(RELEASE)',
    'Created-By: Packages',
  ]);
  const sources = new Set<string>();
  for (const line of lines.trim().split('\n')) {
    const [origin, uri, suite] = line.split(' ');
    if (origin !== 'Debian') continue;
    sources.add(`deb [signed-by=${KEYRING}] ${uri} ${suite} main`);
    if (suite === codename) sources.add(`deb [signed-by=${KEYRING}] ${uri} ${backports} main`);
  }
  const list = join(state, 'sources.list');
  writeFileSync(list, `${[...sources].join('\n')}\n`);
  try {
    run('apt-get', [...flags, 'update']);
  } catch (error) {
    rmSync(list);
    throw error;
  }
  return { flags, backports };
}

function download({ flags, backports }: Apt, names: readonly string[], into: string): string[] {
  const planned = run('apt-get', [
    ...flags,
    '-t',
    backports,
    '--no-install-recommends',
    '--print-uris',
    '-y',
    'install',
    ...names,
  ]);
  const debs = [...planned.matchAll(/^'[^']+' (\S+)_(\S+)_\w+\.deb/gm)];
  const wanted = debs.map(([, name, version]) => `${name}=${version?.replace('%3a', ':')}`);
  if (wanted.length === 0) throw new Error(`apt plans to download nothing for ${names.join(' ')}`);
  run('apt-get', [...flags, 'download', ...wanted], into);
  return readdirSync(into);
}

function run(command: string, args: readonly string[], cwd = '.'): string {
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
