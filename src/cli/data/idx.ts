// The IDX format of MNIST and its relatives: a magic number (two zero bytes, element type, rank), the
// sizes as big-endian 32-bit numbers, then the elements. Only unsigned bytes (type 8) are read.
// Source: http://yann.lecun.com/exdb/mnist/

import { RunError } from '../terminal/cli-error.js';

const UNSIGNED_BYTE = 8;

export interface IdxContent {
  readonly shape: readonly number[];
  /** A view of the file's content: one byte per element. */
  readonly elements: Uint8Array;
}

/** Reads `content`, whose rank must be `rank`; `path` and `remedy` are for the error. */
export function parseIdx(content: Buffer, rank: number, path: string, remedy: string): IdxContent {
  const headerBytes = 4 + 4 * rank;
  if (content.length < headerBytes) {
    throw new RunError(
      `${path}: expected an IDX header of ${headerBytes} bytes, found ${content.length} bytes in all.`,
      remedy,
    );
  }
  const magic = content.readUInt32BE(0);
  const expectedMagic = (UNSIGNED_BYTE << 8) | rank;
  if (magic !== expectedMagic) {
    throw new RunError(
      `${path}: expected the IDX magic number ${expectedMagic} (unsigned bytes, rank ${rank}), found ${magic}.`,
      remedy,
    );
  }
  const shape = Array.from({ length: rank }, (_, axis) => content.readUInt32BE(4 + 4 * axis));
  const count = shape.reduce((product, size) => product * size, 1);
  if (content.length !== headerBytes + count) {
    throw new RunError(
      `${path}: expected ${headerBytes + count} bytes for shape [${shape.join(', ')}], found ${content.length}.`,
      remedy,
    );
  }
  return {
    shape,
    elements: new Uint8Array(content.buffer, content.byteOffset + headerBytes, count),
  };
}
