// The frame of a record in a TFRecord file: length, checksum of the length, data, checksum of the data.

import crc32c from 'crc-32/crc32c.js';

const LENGTH_BYTES = 8;
const CHECKSUM_BYTES = 4;
const MASK_DELTA = 0xa282ead8;

export function framed(data: Uint8Array): Buffer {
  const head = Buffer.alloc(LENGTH_BYTES + CHECKSUM_BYTES);
  head.writeBigUInt64LE(BigInt(data.length));
  head.writeUInt32LE(maskedChecksum(head.subarray(0, LENGTH_BYTES)), LENGTH_BYTES);
  const tail = Buffer.alloc(CHECKSUM_BYTES);
  tail.writeUInt32LE(maskedChecksum(data));
  return Buffer.concat([head, data, tail]);
}

/** The CRC-32C, rotated by 15 bits and offset: a plain CRC of data that contains CRCs would be weak. */
function maskedChecksum(data: Uint8Array): number {
  const crc = crc32c.buf(data) >>> 0;
  return (((crc >>> 15) | (crc << 17)) + MASK_DELTA) >>> 0;
}
