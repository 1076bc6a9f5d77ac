// Damages saved trainings, with right checksums.

import crc from 'crc-32';

import { type HostValues, packFile, unpackFile } from '#src/snapshot/packed-tensors.js';

export type Random = () => number;

/** The same numbers on every run (mulberry32). */
export function randomFrom(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const below = (random: Random, n: number) => Math.floor(random() * n);
const pick = <T>(random: Random, list: readonly T[]): T => list[below(random, list.length)] as T;

const INTS = [0, 1, -1, 2, 5, 255, 2 ** 30, 2 ** 31 - 1, -(2 ** 31)];
const FLOATS = [0, -0, 1, -1, NaN, Infinity, -Infinity, 1e-45, 3e38];

type Entries = HostValues[];

const ENTRIES: readonly ((list: Entries, random: Random) => void)[] = [
  (list, random) => void list.splice(below(random, list.length), 1),
  (list, random) => {
    const at = below(random, list.length);
    if (list[at]) list.splice(below(random, list.length), 0, list[at]);
  },
  (list, random) => {
    const [i, j] = [below(random, list.length), below(random, list.length)];
    const [a, b] = [list[i], list[j]];
    if (a && b) [list[i], list[j]] = [b, a];
  },
  (list) => void list.splice(0, list.length, ...list.toReversed()),
  (list) => void list.splice(0),
  change((one, random, list) => ({ ...one, name: pick(random, list).name })),
  change((one, random) => {
    const at = below(random, one.name.length + 1);
    const piece = pick(random, ['', '/', '_1', '0', 'slow/', 'inner/', '\0', 'x'.repeat(300)]);
    return { ...one, name: one.name.slice(0, at) + piece + one.name.slice(at + 1) };
  }),
  change((one, random) => ({
    ...one,
    name: one.name.replace(/\d+/, () => String(pick(random, INTS))),
  })),
  change((one) => {
    const bytes = new Uint8Array(one.values.buffer, one.values.byteOffset, one.values.byteLength);
    const { buffer } = bytes.slice();
    const isInt = one.values instanceof Int32Array;
    return { ...one, values: isInt ? new Float32Array(buffer) : new Int32Array(buffer) };
  }),
  change((one, random) => ({
    ...one,
    shape: pick(random, [
      [],
      [0],
      [1],
      [...one.shape, 1],
      one.shape.toReversed(),
      [1, 1, 1, 1, 1, 1, 1],
    ]),
  })),
  change((one, random) => {
    const values = one.values.slice(0, below(random, one.values.length + 1));
    return { ...one, values, shape: [values.length] };
  }),
  change((one, random) => {
    const values = one.values.slice();
    const known = values instanceof Int32Array ? INTS : FLOATS;
    for (let n = 1 + below(random, 3); n > 0; n--) {
      const at = below(random, values.length);
      if (at < values.length) values[at] = random() < 0.7 ? pick(random, known) : random() * 100;
    }
    return { ...one, values };
  }),
  change((one, random) => {
    const values = one.values.slice();
    const at = below(random, values.length);
    values[at] = (values[at] ?? 0) + pick(random, [1, -1]);
    return { ...one, values };
  }),
];

function change(
  of: (one: HostValues, random: Random, list: Entries) => HostValues,
): (list: Entries, random: Random) => void {
  return (list, random) => {
    // The first entries are counters, which everything hangs on.
    const at = below(random, random() < 0.4 ? Math.min(2, list.length) : list.length);
    const one = list[at];
    if (one) list[at] = of(one, random, list);
  };
}

/** Of what the file means. */
function damageEntries(bytes: Uint8Array, random: Random): Uint8Array {
  const file = unpackFile(bytes);
  const [weights, state] = [[...file.weights], [...file.state]];
  for (let n = 1 + below(random, 2); n > 0; n--) {
    pick(random, ENTRIES)(random() < 0.25 ? weights : state, random);
  }
  const isTurned = random() < 0.02;
  return packFile({
    optimizer: random() < 0.02 ? 'Adam' : file.optimizer,
    areInOrder: random() < 0.05 ? !file.areInOrder : file.areInOrder,
    weights: isTurned ? state : weights,
    state: isTurned ? weights : state,
  });
}

/** Heads of MessagePack that promise much: maps, lists, texts and bytes. */
const HEADS = [
  0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc4, 0xc6, 0xcb, 0xcf, 0xd9, 0xdb, 0xdc, 0xdd, 0xde,
  0xdf,
];

/** Of the bytes, without the checksum. */
function damageBytes(bytes: Uint8Array, random: Random): Uint8Array {
  const packed = [...bytes.subarray(0, -4)];
  for (let n = 1 + below(random, 3); n > 0; n--) {
    const at = below(random, random() < 0.3 ? 80 : packed.length);
    const kind = random();
    if (kind < 0.4) packed[at] = below(random, 256);
    else if (kind < 0.6) packed[at] = pick(random, HEADS);
    else if (kind < 0.7) packed.splice(at, 5, 0xdd, 0xff, 0xff, 0xff, 0xff);
    else if (kind < 0.75) packed.splice(at, 0, ...Array.from({ length: 1000 }, () => 0x80));
    else if (kind < 0.85) packed.splice(at, 1 + below(random, 8));
    else if (kind < 0.95) packed.splice(at, 0, below(random, 256));
    else packed.splice(at);
  }
  return withChecksum(Uint8Array.from(packed));
}

export function withChecksum(packed: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(packed.length + 4);
  bytes.set(packed);
  new DataView(bytes.buffer).setInt32(packed.length, crc.buf(packed), true);
  return bytes;
}

export function mutated(bytes: Uint8Array, random: Random): Uint8Array {
  return random() < 0.75 ? damageEntries(bytes, random) : damageBytes(bytes, random);
}
