// Records of a TFRecord file that hold TensorFlow's Event message in protobuf's encoding, the part that scalars need:
// Event { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5; }
// Summary { repeated Value value = 1; }   Value { string tag = 1; float simple_value = 2; }

import crc32c from 'crc-32/crc32c.js';

/** By tag. */
export type Scalars = Readonly<Record<string, number>>;

const VARINT = 0;
const EIGHT_BYTES = 1;
const LENGTH_AND_BYTES = 2;
const FOUR_BYTES = 5;

/** Every file begins with it. */
export function versionEvent(wallSeconds: number): Buffer {
  return framed(Buffer.concat([double(1, wallSeconds), text(3, 'brain.Event:2')]));
}

export function scalarsEvent(wallSeconds: number, step: number, scalars: Scalars): Buffer {
  const values = Object.entries(scalars).map(([tag, value]) =>
    bytes(1, Buffer.concat([text(1, tag), float(2, value)])),
  );
  const summary = bytes(5, Buffer.concat(values));
  return framed(Buffer.concat([double(1, wallSeconds), key(2, VARINT), varint(step), summary]));
}

function key(field: number, wireType: number): Buffer {
  return varint(8 * field + wireType);
}

/** Seven bits per byte, the lowest first. No 32-bit operators: steps may need more bits. */
function varint(value: number): Buffer {
  const parts: number[] = [];
  let rest = value;
  while (rest >= 128) {
    parts.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  return Buffer.from([...parts, rest]);
}

function double(field: number, value: number): Buffer {
  const eight = Buffer.alloc(8);
  eight.writeDoubleLE(value);
  return Buffer.concat([key(field, EIGHT_BYTES), eight]);
}

function float(field: number, value: number): Buffer {
  const four = Buffer.alloc(4);
  four.writeFloatLE(value);
  return Buffer.concat([key(field, FOUR_BYTES), four]);
}

function text(field: number, value: string): Buffer {
  return bytes(field, Buffer.from(value, 'utf8'));
}

function bytes(field: number, value: Buffer): Buffer {
  return Buffer.concat([key(field, LENGTH_AND_BYTES), varint(value.length), value]);
}

const LENGTH_BYTES = 8;
const CHECKSUM_BYTES = 4;
const MASK_DELTA = 0xa282ead8;

/** The frame of a record in a TFRecord file: length, checksum of the length, data, checksum of the data. */
function framed(data: Uint8Array): Buffer {
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
