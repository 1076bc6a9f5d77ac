// All knowledge of TensorFlow.js's private parts is in src/tfjs: elsewhere nothing reads or writes them.

import * as tf from '@tensorflow/tfjs-core';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

import { checkOptimizerFields } from '../../src/tfjs/optimizer-fields.js';
import { entry } from '../built.js';

const TFJS_OBJECT = String.raw`\b(?:tf|tfl|engine|backend|tensor|variable|optimizer|model|layer)`;

const PRIVATE: Readonly<Record<string, RegExp>> = {
  'the engine itself': /\btf\.engine\(/,
  "the engine's lists and calls":
    /\.(?:registeredVariables|registryFactory|registry|backendInstance|runKernel|trackTensor|makeTensorFromTensorInfo|moveData|disposeTensor)\b/,
  "the engine's tape and scopes":
    /\b(?:activeTape|gradientDepth|kernelDepth|scopeStack|activeScope|scopeId|startTape|endTape|nextTapeNodeId)\b|\.nextTensorId\b/,
  'fields of optimizers':
    /\b(?:accBeta[12]|accumulated\w+Moments?|accumulatedGrads)\b|(?<!\bthis)\.iterations_\b/,
  'fields of tensors': /\bisDisposedInternal\b|\brankType\b/,
  'fields whose names end in _': /(?<!\bthis)\.[a-z]\w*_(?![\w$])/i,
  'an object of tfjs as something else': new RegExp(
    String.raw`${TFJS_OBJECT}(?:\(\))? as (?:unknown as|\{|Partial<)`,
    'i',
  ),
  'a property by its text': new RegExp(String.raw`${TFJS_OBJECT}(?:\(\))?\[['"]`, 'i'),
};

/** What `line` reaches for, by the names above. */
function privateParts(line: string): string[] {
  const code = line.replace(/\/\/.*$|^\s*\/?\*.*$/, '');
  return Object.entries(PRIVATE).flatMap(([what, pattern]) => (pattern.test(code) ? [what] : []));
}

describe('private parts of TensorFlow.js', () => {
  test('are used in src/tfjs alone', () => {
    const files = readdirSync(entry('src'), { recursive: true, encoding: 'utf8' }).filter(
      (file) => file.endsWith('.ts') && !/^(?:tfjs|report\/page)[\\/]/.test(file),
    );
    expect(files.length).toBeGreaterThan(200);
    const found = files.flatMap((file) =>
      readFileSync(join(entry('src'), file), 'utf8')
        .split('\n')
        .flatMap((line, at) =>
          privateParts(line).map((what) => `src/${file}:${at + 1} uses ${what}: ${line.trim()}`),
        ),
    );
    expect(found, 'move it behind a function of src/tfjs').toEqual([]);
  });

  test.each([
    ['the engine itself', 'const { state } = tf.engine();'],
    ["the engine's lists and calls", 'Object.values(engine.registeredVariables)'],
    ["the engine's tape and scopes", 'engine.state.activeTape = null;'],
    ['fields of optimizers', 'const { accBeta1 } = inner;'],
    ['fields of optimizers', 'inner.iterations_ = 0;'],
    ['fields of tensors', 'tensor.isDisposedInternal = true;'],
    ['fields whose names end in _', 'model.optimizer_.minimize(f);'],
    ['an object of tfjs as something else', 'const fields = this.optimizer as unknown as Fields;'],
    ['an object of tfjs as something else', 'const parts = tf.backend() as { device: GPUDevice };'],
    ['a property by its text', "model['optimizer']"],
  ])('%s: seen in `%s`', (what, line) => {
    expect(privateParts(line)).toContain(what);
  });

  test.each([
    'if (tf.getBackend() === name) return tf.memory().numBytes;',
    'this.iterations_ = saved.iterations;',
    'variable.dispose(); // tf.engine() would do the same',
  ])('public parts may be used anywhere: `%s`', (line) => {
    expect(privateParts(line)).toEqual([]);
  });
});

class OtherAdam extends tf.Optimizer {
  static readonly className = 'Adam';
  readonly beta1 = 0.9;
  readonly beta2 = 0.999;
  override applyGradients(): void {}
  override getConfig() {
    return {};
  }
}

test('an Adam whose private fields have other names is refused, with the names that are missing', () => {
  expect(() => checkOptimizerFields(new OtherAdam())).toThrow(
    expect.objectContaining({
      code: 'UNSUPPORTED',
      details: { missing: ['accBeta1', 'accBeta2'] },
    }) as Error,
  );
});
