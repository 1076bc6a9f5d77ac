// Named tensors as bytes (MessagePack) and back. Numbers are little-endian, as on every machine that tfjs
// runs on.

import crc from 'crc-32';
import { Packr } from 'msgpackr';

import { SlowlaneError } from '../checks/errors.js';
import { PackedReader, Unreadable } from './packed-reader.js';

/** A tensor's values on the host. */
export interface HostValues {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array | Int32Array;
}

/** What a file holds: named tensors, and the class of the optimizer. */
export interface PackedFile {
  readonly optimizer: string;
  /** The weights are in the order of the layers, else in the order in which they were given. */
  readonly areInOrder: boolean;
  readonly weights: readonly HostValues[];
  readonly state: readonly HostValues[];
}

const FORMAT = 'slowlane training';
const VERSION = 2;
const CRC_BYTES = 4;
/** TensorFlow.js has no tensors of a higher rank. */
const HIGHEST_RANK = 6;

// Pack only Uint8Arrays: by default msgpackr truncates a Float32Array to bytes, without an error.
const packr = new Packr({ useRecords: false });

/** The caller owns the bytes and their buffer. They end with a CRC-32 of the rest. */
export function packFile({ optimizer, areInOrder, weights, state }: PackedFile): Uint8Array {
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
    areInOrder,
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

/**
 * Copies from `bytes`.
 *
 * @param most Tensors that the file may have, so that a hostile one cannot fill the memory with tiny ones.
 * @throws SlowlaneError STATE_MISMATCH if this is not what `packFile` gave.
 */
export function unpackFile(bytes: Uint8Array, most = Infinity): PackedFile {
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
    return readFile(new PackedReader(packed), most);
  } catch (cause) {
    if (!(cause instanceof Unreadable)) throw cause;
    throw damaged(`it cannot be read (${bytes.length} bytes): ${cause.message}`, cause);
  }
}

function readFile(reader: PackedReader, most: number): PackedFile {
  reader.map(6);
  reader.key('format');
  if (reader.text() !== FORMAT) throw damaged('it is another kind of file');
  reader.key('version');
  const version = reader.count();
  if (version !== VERSION) {
    throw damaged(`it has version ${version}, this is version ${VERSION}`);
  }
  reader.key('optimizer');
  const optimizer = reader.text();
  reader.key('areInOrder');
  const areInOrder = reader.switch();
  reader.key('weights');
  const weights = readTensors(reader, most);
  reader.key('state');
  const state = readTensors(reader, most - weights.length);
  if (!reader.isAtEnd) throw damaged('something follows its end');
  return { optimizer, areInOrder, weights, state };
}

function readTensors(reader: PackedReader, most: number): HostValues[] {
  const count = reader.list();
  if (count > most) throw damaged(`it has ${count} tensors, more than ${most}`);
  const tensors: HostValues[] = [];
  while (tensors.length < count) tensors.push(readTensor(reader));
  return tensors;
}

function readTensor(reader: PackedReader): HostValues {
  reader.map(4);
  reader.key('name');
  const name = reader.text();
  reader.key('shape');
  const rank = reader.list();
  if (rank > HIGHEST_RANK) throw new Unreadable(`a tensor of rank ${rank}`);
  const shape = Array.from({ length: rank }, () => reader.count());
  reader.key('dtype');
  const dtype = reader.text();
  if (dtype !== 'float32' && dtype !== 'int32') throw new Unreadable('a tensor of another type');
  reader.key('bytes');
  const bytes = reader.binary();
  const size = shape.reduce((product, length) => product * length, 1);
  if (bytes.length !== 4 * size) {
    throw damaged(
      `'${name.slice(0, 80)}' has ${bytes.length} bytes, its shape [${shape.join(', ')}] needs ${4 * size}`,
    );
  }
  const { buffer } = new Uint8Array(bytes); // the view is not aligned, and a Buffer's slice() no copy
  return {
    name,
    shape,
    values: dtype === 'int32' ? new Int32Array(buffer) : new Float32Array(buffer),
  };
}

function damaged(what: string, cause?: unknown): SlowlaneError {
  return new SlowlaneError(
    'STATE_MISMATCH',
    `This is not a training state of slowlane, or it is damaged: ${what}.`,
    {},
    { cause },
  );
}
