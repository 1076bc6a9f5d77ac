// Every way in which loading fails, on set-ups that are broken in that way: one error, and what to do.

import { join } from 'node:path';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { startTensorFlow, TensorFlowLoadError } from 'slowlane/tensorflow';
import { describe, expect, test } from 'vitest';

import { addAddon, copyOfPackage, otherLibtensorflow, started } from './broken.js';

describe('a set-up that is broken', () => {
  test('no package in the folder', async () => {
    const error = await startTensorFlow({ packageFolder: '/no/such/folder' }).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(TensorFlowLoadError);
    expect(error).toMatchObject({ code: 'PACKAGE_MISSING', problem: 'not-installed' });
    expect(String(error)).toContain('there is no package in /no/such/folder');
  });

  test('no addon, as after npm install --ignore-scripts or an install script that failed', async () => {
    expect(await started(copyOfPackage())).toEqual({
      problem: 'no-addon',
      message: expect.stringMatching(
        /^TensorFlow can't be used: @tensorflow\/tfjs-node is installed without its native addon\. .*docs\/tensorflow\.md.*npm rebuild @tensorflow\/tfjs-node/,
      ),
    });
  });

  test('the addon does not find libtensorflow', async () => {
    const folder = copyOfPackage();
    addAddon(folder, { renamed: true });
    expect(await started(folder)).toEqual({
      problem: 'no-libtensorflow',
      message: expect.stringContaining('does not find libtensorflow_no.so.9'),
    });
  });

  test('a libtensorflow that the addon was not built for', async () => {
    const folder = copyOfPackage();
    addAddon(folder);
    const libraries = otherLibtensorflow(folder);
    expect(await started(folder, { libraries })).toEqual({
      problem: 'wrong-libtensorflow',
      message: expect.stringMatching(/do not fit \(.*undefined symbol: .*\)\. Build the addon/),
    });
  });

  test.each(['libcudart.so.11.0', 'libcudnn.so.8'])('no %s', async (library) => {
    const folder = copyOfPackage();
    addAddon(folder);
    const libraries = otherLibtensorflow(folder, library);
    expect(await started(folder, { libraries })).toEqual({
      problem: 'no-cuda',
      message: expect.stringMatching(`needs ${library}, .* LD_LIBRARY_PATH`),
    });
  });

  test('a dependency of the package is missing: not taken for the package', async () => {
    const folder = copyOfPackage();
    const before = `
      import Module from 'node:module';
      const resolve = Module._resolveFilename;
      Module._resolveFilename = (name, ...rest) =>
        resolve(name === '@mapbox/node-pre-gyp' ? '@mapbox/nothing' : name, ...rest);`;
    expect(await started(folder, { before })).toEqual({
      problem: 'failed',
      message: expect.stringContaining("Cannot find module '@mapbox/nothing'"),
    });
  });
});

test('a Node without the function that Node 23 removed: it is there before the import', async () => {
  const folder = process.env['SLOWLANE_TENSORFLOW'] ?? '';
  const before = `import util from 'node:util'; delete util.isNullOrUndefined;`;
  expect(await started(folder, { before })).toMatchObject({ device: 'cpu', updatesInPlace: true });
});

describe('a whole set-up', () => {
  test('says what it got', async () => {
    const { backend, memory, ...engine } = await startTensorFlow();
    expect(engine).toEqual({
      device: 'cpu',
      package: '@tensorflow/tfjs-node',
      version: '2.21.0',
      updatesInPlace: true,
      transfers: 'float',
    });
    expect(process.env['TF_FORCE_GPU_ALLOW_GROWTH']).toBe('true');
    expect(backend.floatPrecision()).toBe(32);
    expect(await memory()).toEqual({
      tensorBytes: 0,
      tensors: expect.any(Number),
      gpuBytes: null,
      residentBytes: expect.any(Number),
    });
    // Once more: the same backend.
    expect((await startTensorFlow({ device: 'any' })).backend).toBe(backend);
  });

  test("device: 'gpu' where there is none", async () => {
    await tf.setBackend('cpu');
    const error = await startTensorFlow({ device: 'gpu' }).catch((thrown: unknown) => thrown);
    expect(tf.getBackend()).toBe('cpu'); // as before
    expect(error).toMatchObject({ name: 'TensorFlowLoadError', problem: 'no-gpu' });
    expect(String(error)).toContain('nvidia-smi');
  });

  test.each([
    [{ packageFolder: 3 }, 'packageFolder must be the path of a folder, got 3'],
    [{ device: 'tpu' }, "device must be 'any' or 'gpu'"],
    [{ folder: join('a', 'b') }, 'folder'],
  ])('%o is refused', async (options, said) => {
    await expect(startTensorFlow(options as never)).rejects.toThrow(said);
  });
});
