// The IDX format of MNIST and its relatives: a magic number (two zero bytes, element type, rank), the
// sizes as big-endian 32-bit numbers, then the elements. Only unsigned bytes (type 8) are read.
// Source: http://yann.lecun.com/exdb/mnist/

import { type DataFile, unfit } from './verified-file.js';

const UNSIGNED_BYTE = 8;

export interface IdxContent {
  readonly shape: readonly number[];
  /** A view of the file's content: one byte per element. */
  readonly elements: Uint8Array;
}

/** Reads `file`, whose rank must be `rank`. */
export function parseIdx(file: DataFile, rank: number): IdxContent {
  const { content } = file;
  const headerBytes = 4 + 4 * rank;
  if (content.length < headerBytes) {
    throw unfit(
      file,
      `expected an IDX header of ${headerBytes} bytes, found ${content.length} bytes in all`,
    );
  }
  const magic = content.readUInt32BE(0);
  const expectedMagic = (UNSIGNED_BYTE << 8) | rank;
  if (magic !== expectedMagic) {
    throw unfit(
      file,
      `expected the IDX magic number ${expectedMagic} (unsigned bytes, rank ${rank}), found ${magic}`,
    );
  }
  const shape = Array.from({ length: rank }, (_, axis) => content.readUInt32BE(4 + 4 * axis));
  const count = shape.reduce((product, size) => product * size, 1);
  if (content.length !== headerBytes + count) {
    throw unfit(
      file,
      `expected ${headerBytes + count} bytes for shape [${shape.join(', ')}], found ${content.length}`,
    );
  }
  return {
    shape,
    elements: new Uint8Array(content.buffer, content.byteOffset + headerBytes, count),
  };
}
