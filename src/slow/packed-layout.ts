// Cuts variables into pieces that a device blends one after the other. Pure arithmetic.
//
// A piece is one buffer of packed slow weights. Every part in it begins at a multiple of 256 bytes, in the
// piece and in its variable, because a device binds parts of buffers only there.

/** How a slow value is stored. */
export type ValueFormat = 'f32' | 'f16';

export const VALUE_BYTES: Readonly<Record<ValueFormat, number>> = { f32: 4, f16: 2 };

/** A run of elements of one item inside a piece. */
export interface PackedPart<W> {
  readonly item: W;
  readonly format: ValueFormat;
  /** First element within the variable. */
  readonly start: number;
  /** Number of elements. */
  readonly length: number;
  /** First byte within the piece. */
  readonly offset: number;
}

export interface PackedPiece<W> {
  readonly parts: readonly PackedPart<W>[];
  readonly bytes: number;
}

const ALIGN_BYTES = 256;

export interface PackedItem<W> {
  readonly item: W;
  readonly format: ValueFormat;
  /** Number of elements. */
  readonly size: number;
}

/** Pieces of at most `pieceBytes`, which is rounded to a multiple of 512. Items without elements get no part. */
export function layOutPacked<W>(
  items: readonly PackedItem<W>[],
  pieceBytes: number,
): PackedPiece<W>[] {
  // Of 512, so that a whole piece of two-byte values is a multiple of 256 elements and begins, in the
  // variable's own four bytes each, where it may be bound.
  const capacity = Math.max(512, Math.floor(pieceBytes / 512) * 512);
  const pieces: PackedPiece<W>[] = [];
  let parts: PackedPart<W>[] = [];
  let filled = 0;
  const close = () => {
    if (filled > 0) pieces.push({ parts, bytes: filled });
    parts = [];
    filled = 0;
  };
  for (const { item, format, size } of items) {
    const elementBytes = VALUE_BYTES[format];
    if (size * elementBytes > capacity - filled) close();
    for (let start = 0; start < size;) {
      const length = Math.min(size - start, (capacity - filled) / elementBytes);
      parts.push({ item, format, start, length, offset: filled });
      filled += Math.ceil((length * elementBytes) / ALIGN_BYTES) * ALIGN_BYTES;
      start += length;
      if (filled >= capacity) close();
    }
  }
  close();
  return pieces;
}
