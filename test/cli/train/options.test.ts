// What the command line says to requests, right and wrong, before it does anything.

import { describe, expect, test } from 'vitest';
import { expectRefusal, slowlane } from '../run-cli.js';

describe('help', () => {
  test('slowlane --help lists the commands', async () => {
    const { code, stdout } = await slowlane(['--help']);
    expect(code).toBe(0);
    expect(stdout).toContain('train [options]');
  });

  test('slowlane train --help lists every option with what is allowed', async () => {
    const { code, stdout } = await slowlane(['train', '--help']);
    expect(code).toBe(0);
    const flags =
      '--data --data-dir --model --inner --learning-rate --gradients --moments --sync-period --slow-step-size --inner-state --slow --override --workers --no-lookahead --engine --vram --epochs --steps --batch-size --seed --out --tensorboard --live';
    for (const flag of flags.split(' ')) expect(stdout).toContain(`  ${flag} `);
    const text = stdout.replaceAll(/\s+/g, ' ');
    expect(text).toContain('"mlp", "cnn", "lstm", "transformer"');
    expect(text).toContain('default: mlp for images, transformer for text');
    expect(text).toContain('for mnist and fashion-mnist train-images-idx3-ubyte, train-labels');
    expect(text).toContain('for moby-dick data.txt');
  });

  test('slowlane --version is the version of the package', async () => {
    const { code, stdout } = await slowlane(['--version']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('a wrong request ends with exit code 2, and says what was received and what is allowed', () => {
  const requests: readonly [args: string, received: string, allowed: string][] = [
    ['trian', "'trian'", 'Did you mean train?'],
    ['train --model resnet', "'resnet'", 'mlp, cnn, lstm, transformer'],
    ['train --data cifar', "'cifar'", 'mnist, fashion-mnist, moby-dick'],
    ['train --inner adan', "'adan'", 'sgd, momentum, rmsprop, adagrad, adam, adamw, lion'],
    ['train --engine cuda', "'cuda'", 'auto, webgpu, tensorflow, wasm, cpu'],
    ['train --inner-state keep', "'keep'", 'maintain, interpolate, reset'],
    ['train --gradients free', "'free'", 'keep, release'],
    ['train --moments host:q4', "'host:q4'", 'device:f32, device:q8'],
    [
      'train --moments device:q8 --inner-state interpolate',
      'device:q8',
      'needs moments in float32',
    ],
    ['train --engine webgpu --vram 2', "'2'", 'a size with its unit (512MiB'],
    ['train --vram 2GiB', '--engine auto', 'Add --engine webgpu'],
    ['train --slow host:int4', "'host:int4'", 'host:f32'],
    ['train --steps 1.5', "'1.5'", 'a whole number ≥ 1'],
    ['train --sync-period 0', "'0'", 'a whole number ≥ 1'],
    ['train --learning-rate -1', "'-1'", 'a number > 0'],
    ['train --slow-step-size 1.01', "'1.01'", "a number from 0 to 1, or 'adaptive'"],
    ['train --seed 0x10', "'0x10'", 'a whole number ≥ 0'],
    ['train --live 70000', "'70000'", 'a whole number ≥ 1 and ≤ 65535'],
    ['train --stepz 3', "'--stepz'", 'Did you mean --steps?'],
    ['train --steps 3 --epochs 1', "'--epochs <n>'", "cannot be used with option '--steps <n>'"],
    ['train now', 'got 1', 'Expected 0 arguments'],
    ['train --data moby-dick --model mlp', '--model mlp', 'lstm, transformer'],
    ['train --data mnist --model transformer', '--model transformer', 'mlp, cnn, lstm'],
    ['train --inner lion --slow-step-size adaptive', '--inner lion', 'adam, adamw'],
    ['train --out=', "''", 'the name of a folder'],
    ['train --data-dir=', "''", 'the name of a folder'],
    ['train --override kernel', "'kernel'", "like 'embedding:slow=host:f16'"],
    [
      'train --inner-state interpolate --override kernel:moments=host:q8',
      'host:q8',
      'needs moments in float32',
    ],
    ['train --no-lookahead --override kernel:exclude', '--override', '--no-lookahead'],
    ['train --no-lookahead --sync-period 3', '--sync-period', '--no-lookahead'],
  ];

  test.concurrent.each(requests)('slowlane %s', async (args, received, allowed) => {
    expectRefusal(await slowlane(args.split(' ')), received, allowed);
  });
});
