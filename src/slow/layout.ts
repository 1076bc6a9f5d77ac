// Cuts weights into chunks. Pure arithmetic: knows sizes, not tensors and not memory.
//
// A chunk is what one sync moves and blends at a time. Small weights are gathered, so that a model of
// many biases does not pay per bias; large ones are split, so that the staging memory does not grow
// with the largest weight. Order is kept: chunk by chunk, part by part, the elements come in the
// order of the weights, which is what makes sums over all elements independent of the chunk size.

/** A run of elements of one item inside a chunk. */
export interface Part<W> {
  readonly item: W;
  /** First element within the item. */
  readonly start: number;
  /** Number of elements. */
  readonly length: number;
  /** First element within the chunk. */
  readonly offset: number;
}

/** What one sync pulls, blends and pushes at a time. */
export interface Chunk<W> {
  readonly parts: readonly Part<W>[];
  /** Number of elements. */
  readonly length: number;
  /** First element within the store. */
  readonly offset: number;
}

/**
 * Lays out items, whose `size` counts elements, in chunks of at most `chunkElements`. Items without elements
 * get no part. Where values are quantized in groups of `group` elements, parts begin at multiples of it, in their
 * chunk and in their item; `chunkElements` is one, too.
 */
export function layOut<W extends { readonly size: number }>(
  items: readonly W[],
  chunkElements: number,
  group = 1,
): Chunk<W>[] {
  const chunks: Chunk<W>[] = [];
  let parts: Part<W>[] = [];
  let filled = 0;
  let storeOffset = 0;
  const close = () => {
    if (filled === 0) return;
    chunks.push({ parts, length: filled, offset: storeOffset });
    storeOffset += filled;
    parts = [];
    filled = 0;
  };
  for (const item of items) {
    const { size } = item;
    // A weight that fits into one chunk is not split to fill the rest of the last one: a device
    // without partial writes has to assemble split weights.
    if (size > chunkElements - filled) close(); // and only a weight that begins a chunk can be longer than one
    for (let start = 0; start < size;) {
      const length = Math.min(size - start, chunkElements);
      parts.push({ item, start, length, offset: filled });
      filled += Math.ceil(length / group) * group;
      start += length;
      if (filled === chunkElements) close();
    }
  }
  close();
  return chunks;
}
