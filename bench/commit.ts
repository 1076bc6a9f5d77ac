import { execFile } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** Of the checkout that this file is in; null without git, or outside of a repository. */
export async function commitHere(): Promise<string | null> {
  const cwd = dirname(fileURLToPath(import.meta.url));
  try {
    const args = ['describe', '--always', '--dirty', '--abbrev=12'];
    const { stdout } = await promisify(execFile)('git', args, { cwd });
    return stdout.trim();
  } catch {
    return null;
  }
}
