// Reads MessagePack of one known form. It makes no object before it knows that the form needs it: a general reader
// makes one for each byte of a hostile file.

const TEXT = new TextDecoder('utf-8', { ignoreBOM: true });

/** Thrown for bytes that are not of this form. */
export class Unreadable extends Error {}

export class PackedReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** The next entry of a map has to be `key`. */
  key(key: string): void {
    if (this.text() !== key) throw new Unreadable(`'${key}' is missing`);
  }

  /** A map of `size` entries. */
  map(size: number): void {
    if (this.#length(0x80, 0x0f, [0, 0xde, 0xdf]) !== size) {
      throw new Unreadable(`not ${size} entries`);
    }
  }

  /** The number of elements that follow. */
  list(): number {
    return this.#length(0x90, 0x0f, [0, 0xdc, 0xdd]);
  }

  text(): string {
    return TEXT.decode(this.#take(this.#length(0xa0, 0x1f, [0xd9, 0xda, 0xdb])));
  }

  /** A view of the bytes. */
  binary(): Uint8Array {
    return this.#take(this.#length(-1, 0, [0xc4, 0xc5, 0xc6]));
  }

  /** A whole number from 0 to 2³² − 1. */
  count(): number {
    return this.#length(0x00, 0x7f, [0xcc, 0xcd, 0xce]);
  }

  switch(): boolean {
    const [byte] = this.#take(1);
    if (byte === 0xc2 || byte === 0xc3) return byte === 0xc3;
    throw new Unreadable('neither true nor false');
  }

  /** In the first byte where `short` and the bits of `mask` are all; else it follows in 1, 2 or 4 bytes. */
  #length(short: number, mask: number, long: readonly [number, number, number]): number {
    const [byte = 0] = this.#take(1);
    if ((byte & ~mask) === short) return byte & mask;
    const width = 2 ** long.indexOf(byte);
    if (width < 1 || byte === 0) throw new Unreadable(`byte ${this.#at - 1} is of another kind`);
    const at = this.#at;
    this.#take(width);
    if (width === 1) return this.#view.getUint8(at);
    return width === 2 ? this.#view.getUint16(at) : this.#view.getUint32(at);
  }

  #take(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new Unreadable('it is cut short');
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }
}
