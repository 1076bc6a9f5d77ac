// Cuts variables into pieces that a device blends one after the other. Pure arithmetic.
//
// A piece is one buffer of quantized slow weights. Every part in it begins at a multiple of 256 bytes, in the
// piece and in its variable, because a device binds parts of buffers only there.

import { GROUPS, storedBytes, type ValueFormat } from '../../workers/codecs/value-format.js';

/** A run of elements of one item inside a piece. */
export interface QuantizedPart<W> {
  readonly item: W;
  readonly format: ValueFormat;
  /** First element within the variable. */
  readonly start: number;
  /** Number of elements. */
  readonly length: number;
  /** First byte within the piece. */
  readonly offset: number;
}

export interface QuantizedPiece<W> {
  readonly parts: readonly QuantizedPart<W>[];
  readonly bytes: number;
}

const ALIGN_BYTES = 256;

export interface QuantizedItem<W> {
  readonly item: W;
  readonly format: ValueFormat;
  /** Number of elements. */
  readonly size: number;
}

/** Equal pieces in a row. In each further one, the parts begin where they end in the previous one. */
export interface PieceRun<W> extends QuantizedPiece<W> {
  readonly times: number;
}

/** Pieces that are on the device at the same time: one goes up, one is blended, one comes down, one is spare. */
const STAGING_PIECES = 4;
/** Staging takes at most this share of the weights, or the bytes below if those are more. */
const STAGING_SHARE = 0.05;
const STAGING_BYTES = 2 ** 20;

/** The `pieceBytes` for weights that take `weightBytes` in float32: at most `chunkBytes`. */
export function stagedPieceBytes(weightBytes: number, chunkBytes: number): number {
  return Math.min(
    chunkBytes,
    Math.max(STAGING_BYTES, STAGING_SHARE * weightBytes) / STAGING_PIECES,
  );
}

/** How many pieces are on their way at a time, and the room that each needs: that of the largest one. */
export function stagingOf(pieces: readonly { readonly bytes: number; readonly times?: number }[]): {
  readonly count: number;
  readonly bytes: number;
} {
  const all = pieces.reduce((sum, { times = 1 }) => sum + times, 0);
  const bytes = pieces.reduce((most, piece) => Math.max(most, piece.bytes), 0);
  return { count: Math.min(STAGING_PIECES, all), bytes };
}

/** What the pieces take on the device at most while they move. */
export function stagingBytesOf(pieces: Parameters<typeof stagingOf>[0]): number {
  const { count, bytes } = stagingOf(pieces);
  return count * bytes;
}

/**
 * Pieces of at most `pieceBytes`, which is rounded to a multiple of 512, the smallest size that holds a block of
 * int8. Items without elements get no part.
 */
export function layOutQuantized<W>(
  items: readonly QuantizedItem<W>[],
  pieceBytes: number,
): QuantizedPiece<W>[] {
  const pieces: QuantizedPiece<W>[] = [];
  for (const { parts, bytes, times } of pieceRuns(items, pieceBytes)) {
    for (let i = 0; i < times; i++) {
      const moved = parts.map((part) => ({ ...part, start: part.start + i * part.length }));
      pieces.push({ parts: moved, bytes });
    }
  }
  return pieces;
}

/** The same pieces, with equal ones in one run, so that sizes alone cost no work per piece. */
export function* pieceRuns<W>(
  items: readonly QuantizedItem<W>[],
  pieceBytes: number,
): Generator<PieceRun<W>> {
  const capacity = Math.max(512, Math.floor(pieceBytes / 512) * 512);
  let parts: QuantizedPart<W>[] = [];
  let filled = 0;
  for (const { item, format, size } of items) {
    if (filled > 0 && storedBytes(format, size) > capacity - filled) {
      yield { parts, bytes: filled, times: 1 };
      parts = [];
      filled = 0;
    }
    // Only an item that begins a piece is larger than the room that is left.
    const cut = cuttable(format, capacity);
    const fitting = Math.floor(capacity / GROUPS[format].bytes) * GROUPS[format].elements;
    const times = Math.max(0, Math.ceil((size - fitting) / cut));
    const part = { item, format, offset: filled };
    if (times > 0) {
      const bytes = aligned(storedBytes(format, cut));
      yield { parts: [{ ...part, start: 0, length: cut }], bytes, times };
    }
    const length = size - times * cut;
    if (length > 0) parts.push({ ...part, start: times * cut, length });
    filled += aligned(storedBytes(format, length));
  }
  if (filled > 0) yield { parts, bytes: filled, times: 1 };
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGN_BYTES) * ALIGN_BYTES;
}

/** The elements that fit into `bytes`, such that the next one begins where its variable may be bound. */
function cuttable(format: ValueFormat, bytes: number): number {
  // Both are powers of two.
  const elements = Math.max(GROUPS[format].elements, ALIGN_BYTES / 4);
  return Math.floor(bytes / storedBytes(format, elements)) * elements;
}
