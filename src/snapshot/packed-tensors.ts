// Named tensors as bytes (MessagePack) and back. Numbers are little-endian, as on every machine that tfjs
// runs on.

import crc from 'crc-32';
import { Packr, Unpackr } from 'msgpackr';

import { SlowlaneError } from '../checks/errors.js';

/** A tensor's values on the host. */
export interface HostValues {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array | Int32Array;
}

/** What a file holds: named tensors, and the class of the optimizer. */
export interface PackedFile {
  readonly optimizer: string;
  readonly weights: readonly HostValues[];
  readonly state: readonly HostValues[];
}

const FORMAT = 'slowlane training';
const VERSION = 1;
const CRC_BYTES = 4;

// Pack only Uint8Arrays: by default msgpackr truncates a Float32Array to bytes, without an error.
const packr = new Packr({ useRecords: false });
const unpackr = new Unpackr({ useRecords: false });

/** The caller owns the bytes and their buffer. They end with a CRC-32 of the rest. */
export function packFile({ optimizer, weights, state }: PackedFile): Uint8Array {
  const plain = ({ name, shape, values }: HostValues) => ({
    name,
    shape,
    dtype: values instanceof Int32Array ? 'int32' : 'float32',
    bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  });
  const packed = packr.pack({
    format: FORMAT,
    version: VERSION,
    optimizer,
    weights: weights.map(plain),
    state: state.map(plain),
  });
  const bytes = new Uint8Array(packed.length + CRC_BYTES);
  bytes.set(packed);
  new DataView(bytes.buffer).setInt32(packed.length, crc.buf(packed), true);
  // msgpackr would keep its grown buffer and pack the next file behind this one.
  packr.useBuffer(typeof Buffer === 'undefined' ? new Uint8Array(0x2000) : Buffer.alloc(0x2000));
  return bytes;
}

/** Copies from `bytes`. @throws SlowlaneError STATE_MISMATCH if this is not what `packFile` gave. */
export function unpackFile(bytes: Uint8Array): PackedFile {
  let file: unknown;
  const packed = bytes.subarray(0, Math.max(0, bytes.length - CRC_BYTES));
  const end = new DataView(
    bytes.buffer,
    bytes.byteOffset + packed.length,
    bytes.length - packed.length,
  );
  if (end.byteLength < CRC_BYTES || end.getInt32(0, true) !== crc.buf(packed)) {
    throw damaged(`its checksum is wrong (${bytes.length} bytes)`);
  }
  try {
    file = unpackr.unpack(packed);
  } catch (cause) {
    throw damaged(`it cannot be read (${bytes.length} bytes)`, cause);
  }
  if (!isRecord(file) || file['format'] !== FORMAT) throw damaged('it is another kind of file');
  if (file['version'] !== VERSION) {
    throw damaged(`it has version ${String(file['version'])}, this is version ${VERSION}`);
  }
  const { optimizer } = file;
  if (typeof optimizer !== 'string') throw damaged('it does not name its optimizer');
  return { optimizer, weights: tensors(file['weights']), state: tensors(file['state']) };
}

function tensors(list: unknown): HostValues[] {
  if (!Array.isArray(list)) throw damaged('a list of tensors is missing');
  return list.map((entry: unknown) => {
    if (!isRecord(entry)) throw damaged('a tensor is missing');
    const { name, shape, dtype, bytes } = entry;
    if (typeof name !== 'string' || !(bytes instanceof Uint8Array) || !isShape(shape)) {
      throw damaged('a tensor has no name, no shape or no values');
    }
    if (dtype !== 'float32' && dtype !== 'int32')
      throw damaged(`'${name}' is of type ${String(dtype)}`);
    const size = shape.reduce((product, length) => product * length, 1);
    if (bytes.length !== 4 * size) {
      throw damaged(
        `'${name}' has ${bytes.length} bytes, its shape [${shape.join(', ')}] needs ${4 * size}`,
      );
    }
    const { buffer } = new Uint8Array(bytes); // `unpack` gives a view that is not aligned
    return {
      name,
      shape,
      values: dtype === 'int32' ? new Int32Array(buffer) : new Float32Array(buffer),
    };
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isShape(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((length) => Number.isInteger(length) && length >= 0);
}

function damaged(what: string, cause?: unknown): SlowlaneError {
  return new SlowlaneError(
    'STATE_MISMATCH',
    `This is not a training state of slowlane, or it is damaged: ${what}.`,
    {},
    { cause },
  );
}
