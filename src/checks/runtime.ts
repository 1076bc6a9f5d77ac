// Which JavaScript runtime this is. Bun, Deno and Electron say that they are Node, too.

interface Versions {
  readonly node?: string;
  readonly bun?: string;
  readonly deno?: string;
  readonly electron?: string;
}

export interface Runtime {
  readonly name: 'Node' | 'Bun' | 'Deno' | 'Electron' | 'browser';
  /** null in a browser. */
  readonly version: string | null;
  /** Modules and packages of Node can be loaded. */
  readonly hasPackages: boolean;
}

export function thisRuntime(): Runtime {
  const { process } = globalThis as { process?: { versions?: Versions } };
  const { node, bun, deno, electron } = process?.versions ?? {};
  if (node === undefined) return { name: 'browser', version: null, hasPackages: false };
  if (bun !== undefined) return { name: 'Bun', version: bun, hasPackages: true };
  if (deno !== undefined) return { name: 'Deno', version: deno, hasPackages: true };
  if (electron !== undefined) return { name: 'Electron', version: electron, hasPackages: true };
  return { name: 'Node', version: node, hasPackages: true };
}
