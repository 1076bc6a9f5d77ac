// The file as bytes: what it has to hold, and that it hands out copies.

import { Packr } from 'msgpackr';
import { afterEach, describe, expect, test, vi } from 'vitest';

import { Unreadable } from '#src/snapshot/packed-reader.js';
import { packFile, type PackedFile, unpackFile } from '#src/snapshot/packed-tensors.js';

import { withChecksum } from './mutations.js';

const packr = new Packr({ useRecords: false });
const bytesOf = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);

const tensor = { name: 'w', shape: [2], dtype: 'float32', bytes: bytesOf(1, 2) };
const head = { format: 'slowlane training', version: 2, optimizer: 'o', areInOrder: true };
const good = { ...head, weights: [tensor], state: [tensor] };

const unpacked = (file: object, most?: number) =>
  unpackFile(withChecksum(Uint8Array.from(packr.pack(file))), most);

afterEach(() => {
  vi.unstubAllGlobals();
});

test('a file of this form is read: version 2, two lists of tensors', () => {
  const values = Float32Array.of(1, 2);
  const expected = { name: 'w', shape: [2], values };
  expect(unpacked(good)).toEqual({
    optimizer: 'o',
    areInOrder: true,
    weights: [expected],
    state: [expected],
  });
  expect(unpacked({ ...good, areInOrder: false }).areInOrder).toBe(false);
});

describe('refused', () => {
  const withTensor = (changed: object) => ({ ...good, weights: [{ ...tensor, ...changed }] });
  const long = 'n'.repeat(100);

  test.each([
    [
      'another kind of file',
      { ...good, format: 'other' },
      /damaged: it is another kind of file\.$/,
    ],
    ['another version', { ...good, version: 3 }, /damaged: it has version 3, this is version 2\.$/],
    [
      'a missing key',
      { ...head, state: [] },
      /damaged: it cannot be read \(\d+ bytes\): not 6 entr/,
    ],
    ['a key of another name', { ...head, w: [], state: [] }, /: 'weights' is missing\.$/],
    ['another dtype', withTensor({ dtype: 'bool' }), /: a tensor of another type\.$/],
    ['rank 7', withTensor({ shape: [1, 1, 1, 1, 1, 1, 2] }), /: a tensor of rank 7\.$/],
    [
      'too few bytes',
      withTensor({ name: long, shape: [1, 3] }),
      new RegExp(`damaged: 'n{80}' has 8 bytes, its shape \\[1, 3\\] needs 12\\.$`),
    ],
  ])('%s', (_, file, message) => {
    expect(() => unpacked(file)).toThrow(message);
    expect(() => unpacked(file)).toThrow(expect.objectContaining({ code: 'STATE_MISMATCH' }));
  });

  test('what follows the end', () => {
    const packed = Uint8Array.from([...packr.pack(good), 0]);
    expect(() => unpackFile(withChecksum(packed))).toThrow(/damaged: something follows its end\.$/);
  });

  test('more tensors than there can be, weights and state together', () => {
    expect(unpacked(good, 2).state).toHaveLength(1);
    expect(() => unpacked(good, 1)).toThrow(/: it has 1 tensors, more than 0\.$/);
    expect(() => unpacked(good, 0)).toThrow(/: it has 1 tensors, more than 0\.$/);
  });

  test('fewer bytes than a checksum has, and a wrong checksum', () => {
    for (const bytes of [new Uint8Array(), Uint8Array.of(1, 2, 3)]) {
      expect(() => unpackFile(bytes)).toThrow(`its checksum is wrong (${bytes.length} bytes)`);
    }
    // The checksum of nothing is 0: then there is nothing to read.
    expect(() => unpackFile(new Uint8Array(4))).toThrow(/cannot be read \(4 bytes\): it is cut/);
    expect(() => unpackFile(Uint8Array.of(0, 0, 0, 1))).toThrow(/checksum is wrong/);
  });

  test('the cause says what the reader saw; it is there for nothing else', () => {
    const causeOf = (file: object) => {
      try {
        return unpacked(file);
      } catch (error) {
        return (error as Error).cause;
      }
    };
    expect(causeOf(withTensor({ dtype: 'bool' }))).toBeInstanceOf(Unreadable);
    expect(causeOf({ ...good, version: 3 })).toBeUndefined();
  });
});

test('tensors of rank 0 to 6 are read, and shapes of 0 elements', () => {
  for (let rank = 0; rank <= 6; rank++) {
    const shape = Array.from({ length: rank }, () => 1);
    const file = { ...good, weights: [{ ...tensor, shape, bytes: bytesOf(3) }] };
    expect(unpacked(file).weights).toEqual([{ name: 'w', shape, values: Float32Array.of(3) }]);
  }
  const empty = { ...good, weights: [{ ...tensor, shape: [0, 5], bytes: bytesOf() }] };
  expect(unpacked(empty).weights[0]?.values).toEqual(new Float32Array());
});

describe('packed and unpacked', () => {
  const file = (name: string, values: Float32Array | Int32Array): PackedFile => {
    const weights = [{ name, shape: [values.length], values }];
    return { optimizer: 'o', areInOrder: false, weights, state: [] };
  };

  test('a view is packed without what lies around it, and the bytes may lie anywhere', () => {
    const floats = Float32Array.of(9, 1, 2, 9).subarray(1, 3);
    const bytes = packFile(file('f', floats));
    expect(unpackFile(bytes)).toEqual(file('f', Float32Array.of(1, 2)));
    const shifted = new Uint8Array(bytes.length + 8);
    shifted.set(bytes, 3);
    expect(unpackFile(shifted.subarray(3, 3 + bytes.length))).toEqual(file('f', floats.slice()));
    const ints = Int32Array.of(-1, 2 ** 30);
    expect(unpackFile(packFile(file('i', ints)))).toEqual(file('i', ints));
  });

  test('what is unpacked is a copy', () => {
    const bytes = packFile(file('f', Float32Array.of(1, 2)));
    const { weights } = unpackFile(bytes);
    bytes.fill(0);
    expect(weights[0]?.values).toEqual(Float32Array.of(1, 2));
  });

  test('one file after the other, in Node and where there is no Buffer', () => {
    const long = file('n'.repeat(300), new Float32Array(5000));
    for (let i = 0; i < 3; i++) expect(unpackFile(packFile(long))).toEqual(long);
    const small = file('f', Float32Array.of(1));
    vi.stubGlobal('Buffer', undefined);
    const bytes = packFile(small);
    vi.unstubAllGlobals();
    expect(unpackFile(bytes)).toEqual(small);
    expect(unpackFile(packFile(small))).toEqual(small);
  });
});
