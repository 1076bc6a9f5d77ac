// MessagePack, byte by byte: https://github.com/msgpack/msgpack/blob/master/spec.md

import { expect, test } from 'vitest';

import { PackedReader, Unreadable } from '#src/snapshot/packed-reader.js';

/** In the middle of a longer buffer. */
function reading(...bytes: number[]): PackedReader {
  return new PackedReader(Uint8Array.of(0xaa, ...bytes, 0xaa).subarray(1, -1));
}

/** What `read` gives; nothing of the bytes may be left. */
function all<T>(bytes: readonly number[], read: (reader: PackedReader) => T): T {
  const reader = reading(...bytes);
  expect(reader.isAtEnd).toBe(false);
  const result = read(reader);
  expect(reader.isAtEnd).toBe(true);
  return result;
}

const refused = (bytes: readonly number[], read: (reader: PackedReader) => unknown, why: string) =>
  expect(() => read(reading(...bytes))).toThrow(new Unreadable(why));

const letters = (count: number) => Array.from({ length: count }, () => 0x61);

test('a count is in the byte itself, or in the 1, 2 or 4 bytes behind it', () => {
  const count = (...bytes: number[]) => all(bytes, (reader) => reader.count());
  expect([count(0), count(0x7f)]).toEqual([0, 127]);
  expect(count(0xcc, 0xff)).toBe(255);
  expect(count(0xcd, 0x01, 0x02)).toBe(0x0102);
  expect(count(0xce, 0xff, 0x00, 0x01, 0x02)).toBe(0xff00_0102);
});

test('a list says how many elements follow', () => {
  const list = (...bytes: number[]) => all(bytes, (reader) => reader.list());
  expect([list(0x90), list(0x9f)]).toEqual([0, 15]);
  expect(list(0xdc, 0x01, 0x00)).toBe(256);
  expect(list(0xdd, 0x01, 0x00, 0x00, 0x00)).toBe(2 ** 24);
});

test('a map has as many entries as it should', () => {
  all([0x84], (reader) => reader.map(4));
  all([0xde, 0, 4], (reader) => reader.map(4));
  all([0xdf, 0, 0, 0, 4], (reader) => reader.map(4));
  refused([0x83], (reader) => reader.map(4), 'not 4 entries');
  refused([0xde, 4, 0], (reader) => reader.map(4), 'not 4 entries');
});

test('texts are UTF-8, and a byte order mark is a letter of theirs', () => {
  const text = (...bytes: number[]) => all(bytes, (reader) => reader.text());
  expect(text(0xa0)).toBe('');
  expect(text(0xa3, 0xe2, 0x82, 0xac)).toBe('€');
  expect(text(0xbf, ...letters(31))).toBe('a'.repeat(31));
  expect(text(0xd9, 32, ...letters(32))).toBe('a'.repeat(32));
  expect(text(0xda, 1, 0, ...letters(256))).toBe('a'.repeat(256));
  expect(text(0xdb, 0, 0, 1, 0, ...letters(256))).toBe('a'.repeat(256));
  expect(text(0xa4, 0xef, 0xbb, 0xbf, 0x61)).toBe('\u{feff}a');
});

test('binary data is a view, with its length in 1, 2 or 4 bytes', () => {
  const bytes = Uint8Array.of(0xc4, 2, 7, 8);
  const binary = new PackedReader(bytes).binary();
  expect([...binary]).toEqual([7, 8]);
  expect(binary.buffer).toBe(bytes.buffer);
  expect([...all([0xc5, 0, 1, 9], (reader) => reader.binary())]).toEqual([9]);
  expect([...all([0xc6, 0, 0, 0, 1, 9], (reader) => reader.binary())]).toEqual([9]);
});

test('true, false, and nothing else is a switch', () => {
  expect(all([0xc2], (reader) => reader.switch())).toBe(false);
  expect(all([0xc3], (reader) => reader.switch())).toBe(true);
  for (const other of [0xc0, 0xc1, 0xc4, 0x00]) {
    refused([other], (reader) => reader.switch(), 'neither true nor false');
  }
});

test('a map asks for its keys in order', () => {
  all([0xa1, 0x61], (reader) => reader.key('a'));
  refused([0xa1, 0x62], (reader) => reader.key('a'), "'a' is missing");
});

test('another kind of value is refused, with its place', () => {
  const kinds: readonly ((reader: PackedReader) => unknown)[] = [
    (reader) => reader.map(1),
    (reader) => reader.list(),
    (reader) => reader.text(),
    (reader) => reader.binary(),
    (reader) => reader.count(),
  ];
  // One byte of each kind, in the same order, then a float64, nil and a negative number.
  const first = [0x81, 0x91, 0xa1, 0xc4, 0xcc, 0xcb, 0xc0, 0xff];
  for (const [i, read] of kinds.entries()) {
    for (const [j, byte] of first.entries()) {
      if (i !== j) refused([byte, 1, 1], read, 'byte 0 is of another kind');
    }
  }
  // 0 and 1 are counts alone.
  for (const read of kinds.slice(0, 4)) {
    refused([0, 1, 1], read, 'byte 0 is of another kind');
    refused([1, 1, 1], read, 'byte 0 is of another kind');
  }
  refused([0x01, 0xc0], (reader) => [reader.count(), reader.count()], 'byte 1 is of another kind');
});

test('what is cut short is refused', () => {
  const short = 'it is cut short';
  refused([], (reader) => reader.count(), short);
  refused([], (reader) => reader.switch(), short);
  refused([0xcd, 1], (reader) => reader.count(), short);
  refused([0xce, 1, 2, 3], (reader) => reader.count(), short);
  refused([0xa2, 0x61], (reader) => reader.text(), short);
  refused([0xc4, 3, 1, 2], (reader) => reader.binary(), short);
});
