// Where WebGPU is taken from, with stand-ins for the runtimes: their own, or the npm package's.

import { afterEach, expect, test, vi } from 'vitest';

import { thisRuntime } from '#src/checks/runtime.js';
import * as nodeGpu from '#src/engines/webgpu/node-gpu.js';
import { openGpu } from '#src/engines/webgpu/open-gpu.js';

vi.mock('#src/engines/webgpu/node-gpu.js', { spy: true });

const dawn = { requestAdapter: () => Promise.resolve(null) } as unknown as GPU;

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

/** A GPU object that gives an adapter for these options: `'default'`, `'fallback'`, none, or fails. */
function gpuWith(given: 'default' | 'fallback' | 'none' | 'failure'): GPU {
  return {
    requestAdapter({ forceFallbackAdapter = false }: GPURequestAdapterOptions = {}) {
      if (given === 'failure') return Promise.reject(new Error('turned off'));
      const isGiven = given === (forceFallbackAdapter ? 'fallback' : 'default');
      return Promise.resolve(isGiven ? {} : null);
    },
  } as unknown as GPU;
}

function in_(versions: Record<string, string> | null, navigator: unknown): void {
  vi.stubGlobal('process', versions === null ? undefined : { ...process, versions });
  vi.stubGlobal('navigator', navigator);
  const node = { gpu: dawn, names: () => Promise.resolve([]), gpuNamed: () => dawn };
  vi.mocked(nodeGpu.openNodeGpu).mockResolvedValue(node);
}

const inherited = (gpu: GPU | null) => Object.create({ gpu }) as object;
const DENO = { node: '26.3.0', deno: '2.9.6', v8: '15' };
const ELECTRON = { node: '24.1.0', electron: '42.0.0' };
const BUN = { node: '26.3.0', bun: '1.4.5' };
const NODE = { node: '24.1.0' };

test('a runtime is called by its own name and version', () => {
  const named = (versions: Record<string, string> | null) => {
    in_(versions, {});
    const { name, version } = thisRuntime();
    return `${name} ${version}`;
  };
  expect([DENO, ELECTRON, BUN, NODE, null].map(named)).toEqual([
    'Deno 2.9.6',
    'Electron 42.0.0',
    'Bun 1.4.5',
    'Node 24.1.0',
    'browser null',
  ]);
});

test("the runtime's own WebGPU is taken where it has an adapter, also a software one", async () => {
  for (const versions of [DENO, ELECTRON]) {
    for (const given of ['default', 'fallback'] as const) {
      const own = gpuWith(given);
      in_(versions, inherited(own));
      const { gpu, node } = await openGpu();
      expect(gpu).toBe(own);
      expect(node).toBeNull();
    }
  }
});

test('a browser has its own or none: the package is never looked for', async () => {
  const own = gpuWith('none'); // the choice of the adapter says what to do
  in_(null, inherited(own));
  expect((await openGpu()).gpu).toBe(own);
  for (const navigator of [inherited(null), {}]) {
    in_(null, navigator);
    await expect(openGpu()).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  }
  expect(nodeGpu.openNodeGpu).not.toHaveBeenCalled();
});

test('the package is taken where the runtime has no navigator, no gpu in it, or one that does not work', async () => {
  const navigators = [undefined, {}, inherited(null)].concat(
    (['none', 'failure'] as const).map((given) => inherited(gpuWith(given))),
  );
  for (const navigator of navigators) {
    for (const versions of [NODE, BUN, DENO]) {
      in_(versions, navigator);
      expect((await openGpu()).gpu).toBe(dawn);
    }
  }
});

test("what was defined as navigator.gpu is not taken for the runtime's", async () => {
  const navigator = inherited(gpuWith('none')) as { gpu?: GPU };
  in_(DENO, navigator);
  const { define } = await openGpu();
  const chosen = gpuWith('default');
  define(chosen); // as after the choice of an adapter
  expect(navigator.gpu).toBe(chosen);
  expect((await openGpu()).gpu).toBe(dawn);
});

test('the choice of small allocations reaches the package', async () => {
  in_(NODE, {});
  await openGpu(true);
  expect(nodeGpu.openNodeGpu).toHaveBeenCalledWith(true);
});
