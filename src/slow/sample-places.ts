// Where a sync looks at weights: a few blocks, other ones each time. Pure arithmetic.

/** Elements of a block: a block of int8 shares its scale. */
const BLOCK_ELEMENTS = 256;
/** Of a sync, 4 KiB; and blocks, since those of small weights are small. */
const ELEMENTS = 1024;
const BLOCKS = 16;
/** Multiples of it, modulo 1, cover the whole evenly, wherever one stops. */
const GOLDEN = (Math.sqrt(5) - 1) / 2;

/** Some elements of a part. */
export interface SamplePlace<P> {
  readonly part: P;
  /** First element within the part, a multiple of 256. */
  readonly first: number;
  readonly length: number;
}

export class SamplePlaces {
  #taken = 0;

  /** Blocks of `parts` for the next sync, at most 1,024 elements: all of them if they are few. */
  next<P extends { readonly length: number }>(parts: readonly P[]): SamplePlace<P>[] {
    const blocks = parts.reduce((sum, { length }) => sum + blocksOf(length), 0);
    const elements = parts.reduce((sum, { length }) => sum + length, 0);
    if (blocks <= BLOCKS && elements <= ELEMENTS) {
      return Array.from({ length: blocks }, (_, block) => placeOf(parts, block));
    }
    const places = new Map<number, SamplePlace<P>>();
    let left = ELEMENTS;
    for (let i = 0; i < BLOCKS; i++) {
      const block = this.#draw(blocks);
      if (places.has(block)) continue;
      const place = placeOf(parts, block);
      if (place.length > left) break; // the next sync begins with another
      places.set(block, place);
      left -= place.length;
    }
    return [...places.values()];
  }

  #draw(blocks: number): number {
    return Math.floor(((this.#taken++ * GOLDEN) % 1) * blocks);
  }
}

function blocksOf(length: number): number {
  return Math.ceil(length / BLOCK_ELEMENTS);
}

function placeOf<P extends { readonly length: number }>(
  parts: readonly P[],
  block: number,
): SamplePlace<P> {
  let left = block;
  for (const part of parts) {
    const blocks = blocksOf(part.length);
    if (left < blocks) {
      const first = left * BLOCK_ELEMENTS;
      return { part, first, length: Math.min(BLOCK_ELEMENTS, part.length - first) };
    }
    left -= blocks;
  }
  throw new Error(`No block ${block} in these parts.`);
}
