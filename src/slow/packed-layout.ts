// Cuts variables into pieces that a device blends one after the other. Pure arithmetic.
//
// A piece is one buffer of packed slow weights. Every part in it begins at a multiple of 256 bytes, in the
// piece and in its variable, because a device binds parts of buffers only there.

import { GROUPS, packedBytes, type ValueFormat } from '../../workers/codecs/value-format.js';

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

/**
 * Pieces of at most `pieceBytes`, which is rounded to a multiple of 512: the least that holds what may not be
 * cut, a block of int8. Items without elements get no part.
 */
export function layOutPacked<W>(
  items: readonly PackedItem<W>[],
  pieceBytes: number,
): PackedPiece<W>[] {
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
    if (packedBytes(format, size) > capacity - filled) close();
    for (let start = 0; start < size;) {
      const left = size - start;
      const room = capacity - filled;
      const fits = packedBytes(format, left) <= room;
      const length = fits ? left : cuttable(format, room);
      parts.push({ item, format, start, length, offset: filled });
      filled += Math.ceil(packedBytes(format, length) / ALIGN_BYTES) * ALIGN_BYTES;
      start += length;
      if (!fits) close();
    }
  }
  close();
  return pieces;
}

/** The elements that fit into `bytes`, such that the next one begins where its variable may be bound. */
function cuttable(format: ValueFormat, bytes: number): number {
  // Both are powers of two.
  const elements = Math.max(GROUPS[format].elements, ALIGN_BYTES / 4);
  return Math.floor(bytes / packedBytes(format, elements)) * elements;
}
