// The data sets: verified files, checked formats, seeded batches.

import '@tensorflow/tfjs-backend-cpu';

import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Batch, type DataSet, MOBY_DICK_SHAPE } from '#src/models/dataset.js';
import { parseIdx } from '#src/cli/data/idx.js';
import { loadData } from '#src/cli/data/load.js';
import { seededRandom, shuffle } from '#src/cli/data/batches.js';
import { textSet } from '#src/cli/data/text.js';
import { readVerified } from '#src/cli/data/verified-file.js';
import { temporaryFolder } from '../run-cli.js';

const PIXELS = 28 * 28;

beforeAll(() => {
  tf.enableProdMode(); // else the cpu backend advertises tfjs-node
  return tf.setBackend('cpu');
});

describe('MNIST', () => {
  test('has 60,000 + 10,000 digits in the known proportions', async () => {
    const mnist = await loadData('mnist', undefined, failOnWarning);
    expect([mnist.trainCount, mnist.testCount]).toEqual([60_000, 10_000]);
    const [train, test] = [
      labelCounts(take(mnist.batches(6000, 1), 10)),
      labelCounts([...mnist.testBatches(3000)]),
    ];
    expect(train).toEqual([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    expect(test).toEqual([980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
  });

  test('the seed decides the order, and each epoch has its own', async () => {
    const mnist = await loadData('mnist', undefined, failOnWarning);
    const labels = (seed: number) => take(mnist.batches(30_000, seed), 4).map(labelsOf);
    const [first, , third] = labels(1);
    expect(labels(1)[0]).toEqual(first);
    expect(labels(2)[0]).not.toEqual(first);
    expect(third).not.toEqual(first);
  });
});

describe('image files that somebody gives', () => {
  test('are read raw or gzipped, with a warning that they are not the known ones', async () => {
    const folder = temporaryFolder();
    writeImages(folder, { images: 3, labels: [0, 9, 4] });
    const warnings: string[] = [];
    const data = await loadData('fashion-mnist', folder, (message) => warnings.push(message));
    expect([data.trainCount, data.testCount]).toEqual([3, 3]);
    expect(warnings).toHaveLength(4);
    expect(warnings[0]).toMatch(
      /^train-images-idx3-ubyte: SHA-256 [\da-f]{12}…, expected c59f468a2f67…; read as it is/,
    );
  });

  test.each([
    [{ images: 0, labels: [] }, /images-idx3-ubyte: expected at least one image, found none/],
    [{ images: 3, labels: [0, 9] }, /expected 3 labels, one per image, found 2/],
    [{ images: 2, labels: [0, 10] }, /expected labels 0 to 9, found 10 at image 1/],
    [
      { images: 2, labels: [0, 1], cut: 1 },
      /expected 1584 bytes for shape \[2, 28, 28\], found 1583/,
    ],
  ])(
    '%j: the error names the file, what was expected and what was found',
    async (content, error) => {
      const folder = temporaryFolder();
      writeImages(folder, content);
      await expect(loadData('fashion-mnist', folder, () => {})).rejects.toThrow(error);
      await expect(loadData('fashion-mnist', folder, () => {})).rejects.toThrow(folder);
    },
  );

  test('a damaged gzip file is named', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'train-images-idx3-ubyte.gz'), gzipSync('x').subarray(0, 12));
    await expect(loadData('mnist', folder, () => {})).rejects.toThrow(
      /train-images-idx3-ubyte\.gz: expected a whole gzip file, found 12 bytes/,
    );
  });
});

describe('a file', () => {
  const reading = (path: string, maxBytes?: number) =>
    readVerified(
      { path, sha256: '', onMismatch: 'warn', remedy: '', ...(maxBytes ? { maxBytes } : {}) },
      () => {},
    );

  test.each(['', '.gz'])('of more than the limit is refused by name (name%s)', async (ending) => {
    const path = join(temporaryFolder(), `zeros${ending}`);
    const zeros = Buffer.alloc(1025);
    writeFileSync(path, ending === '' ? zeros : gzipSync(zeros));
    await expect(reading(path, 1024)).rejects.toThrow(/zeros.* more than 1 KiB/);
    await expect(reading(path, 1025)).resolves.toEqual(zeros);
  });

  test.skipIf(process.platform === 'win32')('that is none is not waited for', async () => {
    const folder = temporaryFolder();
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    await expect(reading(pipe)).rejects.toThrow(/pipe can't be read: it is a pipe or a device/);
    await expect(reading('/dev/zero')).rejects.toThrow(/it is a pipe or a device/);
    await expect(reading(folder)).rejects.toThrow(/it is a folder, not a file/);
  });
});

describe('IDX', () => {
  test.each([
    [Buffer.alloc(7), /expected an IDX header of 8 bytes, found 7 bytes/],
    [Buffer.from([0, 0, 8, 3, 0, 0, 0, 0]), /expected the IDX magic number 2049 .*, found 2051/],
    [Buffer.from([0, 0, 8, 1, 0, 0, 0, 2, 5]), /expected 10 bytes for shape \[2\], found 9/],
  ])('%j is refused', (content, error) => {
    expect(() => parseIdx({ path: 'some/file', content, remedy: 'get it again' }, 1)).toThrow(
      error,
    );
  });

  test('elements follow the header', () => {
    const content = Buffer.from([0, 0, 8, 1, 0, 0, 0, 2, 5, 6]);
    expect([...parseIdx({ path: 'some/file', content, remedy: '' }, 1).elements]).toEqual([5, 6]);
  });
});

describe('text', () => {
  test('Moby-Dick has 83 kinds of characters, and its last tenth is for tests', async () => {
    const book = await loadData('moby-dick', undefined, failOnWarning);
    expect(book.classes).toBe(83);
    expect(book).toMatchObject(MOBY_DICK_SHAPE);
    expect(book.trainCount).toBe(Math.floor((1_071_285 - 1) / 64) - 1); // 90 % of 1,190,317
    expect(book.testCount).toBe(256);
  });

  test('labels are the inputs, one character on', () => {
    const [batch] = take(textSet('t', 'abc'.repeat(3000), 't.txt', '').batches(2, 1), 1);
    const [inputs, labels] = [batch!.inputs.arraySync(), batch!.labels.arraySync()] as number[][][];
    for (const row of [0, 1]) {
      expect(labels![row]!.slice(0, -1)).toEqual(inputs![row]!.slice(1));
      expect(labels![row]!.at(-1)).toBe((inputs![row]!.at(-1)! + 1) % 3); // a → b → c → a
    }
  });

  test('a text of one character is refused', () => {
    expect(() => textSet('t', 'a'.repeat(9000), 't.txt', '')).toThrow(
      /t\.txt: expected at least 2 different characters, found only "a"/,
    );
  });

  test('a text too short to test on is refused', () => {
    expect(() => textSet('t', 'abc', 't.txt', '')).toThrow(
      /t\.txt: expected at least 6400 characters, found 3/,
    );
  });
});

describe('random numbers', () => {
  test('mulberry32 gives its known sequence for seed 1', () => {
    // Any implementation: state += 0x6d2b79f5, mixed twice, over 2³².
    const random = seededRandom(1);
    expect([random(), random(), random()].map((value) => value.toFixed(6))).toEqual([
      '0.627074',
      '0.002736',
      '0.527447',
    ]);
  });

  test('a shuffle loses nothing', () => {
    const order = Uint32Array.from({ length: 100 }, (_, index) => index);
    shuffle(order, seededRandom(3));
    expect(order).not.toEqual(order.toSorted());
    expect(order.toSorted()).toEqual(Uint32Array.from({ length: 100 }, (_, index) => index));
  });
});

function failOnWarning(message: string): void {
  throw new Error(`unexpected warning: ${message}`);
}

function take(batches: ReturnType<DataSet['batches']>, count: number): Batch[] {
  return Array.from({ length: count }, () => batches.next().value);
}

function labelsOf(batch: Batch): number[] {
  return [...batch.labels.dataSync()];
}

function labelCounts(batches: readonly Batch[]): number[] {
  const counts = Array.from({ length: 10 }, () => 0);
  for (const label of batches.flatMap(labelsOf)) counts[label]! += 1;
  return counts;
}

/** Train files raw, test files gzipped; `cut` leaves out bytes at the end of the training images. */
function writeImages(
  folder: string,
  content: { images: number; labels: readonly number[]; cut?: number },
): void {
  mkdirSync(folder, { recursive: true });
  const { images: count, labels, cut = 0 } = content;
  const images = Buffer.concat([header(3, count, 28, 28), Buffer.alloc(count * PIXELS, 7)]);
  const answers = Buffer.concat([header(1, labels.length), Buffer.from(labels)]);
  writeFileSync(join(folder, 'train-images-idx3-ubyte'), images.subarray(0, images.length - cut));
  writeFileSync(join(folder, 'train-labels-idx1-ubyte'), answers);
  writeFileSync(join(folder, 't10k-images-idx3-ubyte.gz'), gzipSync(images));
  writeFileSync(join(folder, 't10k-labels-idx1-ubyte.gz'), gzipSync(answers));
}

function header(rank: number, ...shape: number[]): Buffer {
  const bytes = Buffer.from([0, 0, 8, rank, ...shape.flatMap(() => [0, 0, 0, 0])]);
  for (const [axis, size] of shape.entries()) bytes.writeUInt32BE(size, 4 + 4 * axis);
  return bytes;
}
