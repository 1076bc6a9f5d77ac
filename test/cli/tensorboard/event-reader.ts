// Reads files of events without any of the code that writes them: frames with their checksums, and protobuf as far as
// scalars need it. Throws where a byte is not as the formats want it.

import { readFileSync } from 'node:fs';

export interface ReadEvent {
  readonly wallSeconds: number;
  readonly step: number;
  readonly version: string | undefined;
  readonly scalars: ReadonlyMap<string, number>;
}

export function readEvents(path: string): ReadEvent[] {
  const file = readFileSync(path);
  const events: ReadEvent[] = [];
  for (let at = 0; at < file.length;) {
    const length = Number(file.readBigUInt64LE(at));
    expectChecksum(file.subarray(at, at + 8), file.readUInt32LE(at + 8));
    const data = file.subarray(at + 12, at + 12 + length);
    expectChecksum(data, file.readUInt32LE(at + 12 + length));
    events.push(eventIn(data));
    at += 12 + length + 4;
  }
  return events;
}

/** Bit by bit, with Castagnoli's polynomial. */
export function crc32c(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

function expectChecksum(data: Uint8Array, stored: number): void {
  const rotated = (stored - 0xa282ead8) >>> 0;
  const crc = ((rotated << 15) | (rotated >>> 17)) >>> 0;
  if (crc !== crc32c(data)) throw new Error(`The checksum of ${data.length} bytes is wrong.`);
}

function eventIn(data: Buffer): ReadEvent {
  const fields = fieldsIn(data);
  const scalars = new Map<string, number>();
  const values = fields.has(5) ? fieldsIn(bytesOf(fields, 5)).get(1) : [];
  for (const value of values ?? []) {
    const parts = fieldsIn(value as Buffer);
    scalars.set(bytesOf(parts, 1).toString(), bytesOf(parts, 2).readFloatLE());
  }
  return {
    wallSeconds: bytesOf(fields, 1).readDoubleLE(),
    step: Number(fields.get(2)?.[0] ?? 0n),
    version: fields.get(3)?.[0]?.toString(),
    scalars,
  };
}

function bytesOf(fields: ReadonlyMap<number, readonly (bigint | Buffer)[]>, field: number): Buffer {
  const [value] = fields.get(field) ?? [];
  if (Buffer.isBuffer(value)) return value;
  throw new Error(`Field ${field} has no bytes.`);
}

/** By number of the field; varints as bigints, everything else as its bytes. */
function fieldsIn(data: Buffer): Map<number, (bigint | Buffer)[]> {
  const fields = new Map<number, (bigint | Buffer)[]>();
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = data.readUInt8(at++);
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  const bytes = (length: number): Buffer => {
    if (at + length > data.length) throw new Error('A field is longer than its message.');
    at += length;
    return data.subarray(at - length, at);
  };
  while (at < data.length) {
    const key = Number(varint());
    const values = fields.get(key >>> 3) ?? [];
    fields.set(key >>> 3, values);
    if ((key & 7) === 0) values.push(varint());
    else if ((key & 7) === 1) values.push(bytes(8));
    else if ((key & 7) === 2) values.push(bytes(Number(varint())));
    else if ((key & 7) === 5) values.push(bytes(4));
    else throw new Error(`There is no wire type ${key & 7} here.`);
  }
  return fields;
}
