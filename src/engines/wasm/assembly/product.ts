// out ← A·B in float32, by blocks that are packed first, so that the innermost loop reads both in order (Goto and van de
// Geijn, 2008). Packing takes any layout: a transposed matrix, or the patches of a convolution, which never exist as a
// whole. A sum has at most DEPTH products before it is added to others, which keeps rounding small.

import {
  filterHeight,
  filterWidth,
  inChannels,
  inHeight,
  inWidth,
  outChannels,
  outHeight,
  outWidth,
} from './geometry';
import { packSeen, packSeers } from './patches';
import { packStrip } from './strips';

const DEPTH: u32 = 256;
/** Rows of A and columns of B that are packed at a time. */
const ROWS: u32 = 96;
const COLUMNS: u32 = 512;
/** A tile of out: 4 rows of 8. */
const TILE_BYTES: u32 = 128;
const ROWS_BYTES: u32 = ROWS * DEPTH * 4;

/** Bytes of scratch memory that each product needs. */
export function scratchBytes(): u32 {
  return TILE_BYTES + ROWS_BYTES + COLUMNS * DEPTH * 4;
}

/** What A is. */
const MATRIX: u32 = 0;
const SEEN: u32 = 1;
const SEERS: u32 = 2;

/** out[m, n] ← A[m, k]·B[k, n]. Element (i, l) of A is aRow·i + aColumn·l from its begin; B likewise. */
export function matMul(
  a: usize,
  aRow: u32,
  aColumn: u32,
  b: usize,
  bRow: u32,
  bColumn: u32,
  out: usize,
  m: u32,
  n: u32,
  k: u32,
  scratch: usize,
): void {
  product(
    MATRIX,
    a,
    aRow,
    aColumn,
    b,
    bRow,
    bColumn,
    max<u32>(k, 1),
    0,
    out,
    m,
    n,
    k,
    scratch,
    false,
  );
}

/** out[place of the filter · channel, channel of dy] ← (adds: +=) patches of x, transposed, times dy. */
export function convFilterGradient(
  x: usize,
  dy: usize,
  out: usize,
  batch: u32,
  scratch: usize,
  adds: bool,
): void {
  const m = filterHeight * filterWidth * inChannels;
  const k = batch * outHeight * outWidth;
  product(SEEN, x, 0, 0, dy, outChannels, 1, k, 0, out, m, outChannels, k, scratch, adds);
}

/** out[place of the input, channel] ← (adds: +=) patches of dy times the filter. */
export function convInputGradient(
  dy: usize,
  filter: usize,
  out: usize,
  batch: u32,
  scratch: usize,
  adds: bool,
): void {
  const m = batch * inHeight * inWidth;
  const k = filterHeight * filterWidth * outChannels;
  const size = inChannels * outChannels;
  product(
    SEERS,
    dy,
    0,
    0,
    filter,
    1,
    outChannels,
    outChannels,
    size,
    out,
    m,
    inChannels,
    k,
    scratch,
    adds,
  );
}

function product(
  source: u32,
  a: usize,
  aRow: u32,
  aColumn: u32,
  b: usize,
  bRow: u32,
  bColumn: u32,
  bRun: u32,
  bRunStep: u32,
  out: usize,
  m: u32,
  n: u32,
  k: u32,
  scratch: usize,
  adds: bool,
): void {
  if (k == 0 && !adds) memory.fill(out, 0, (m * n) << 2);
  const rows: usize = scratch + TILE_BYTES;
  const columns: usize = rows + ROWS_BYTES;
  for (let j0: u32 = 0; j0 < n; j0 += COLUMNS) {
    const width = min(COLUMNS, n - j0);
    for (let k0: u32 = 0; k0 < k; k0 += DEPTH) {
      const depth = min(DEPTH, k - k0);
      for (let j: u32 = 0; j < width; j += 4) {
        const from: usize = b + (((j0 + j) * bColumn) << 2);
        const to: usize = columns + (((j & ~7) * depth) << 2) + ((j & 4) << 2);
        packStrip(from, bColumn, bRow, bRun, bRunStep, k0, depth, min(4, width - j), to, 32);
      }
      for (let i0: u32 = 0; i0 < m; i0 += ROWS) {
        const height = min(ROWS, m - i0);
        for (let i: u32 = 0; i < height; i += 4) {
          const to: usize = rows + ((i * depth) << 2);
          const lanes = min(4, height - i);
          if (source == SEEN) packSeen(a, i0 + i, lanes, k0, depth, to);
          else if (source == SEERS) packSeers(a, i0 + i, lanes, k0, depth, to);
          else {
            const from: usize = a + (((i0 + i) * aRow) << 2);
            packStrip(from, aRow, aColumn, k, 0, k0, depth, lanes, to, 16);
          }
        }
        for (let j: u32 = 0; j < width; j += 8) {
          const right: usize = columns + ((j * depth) << 2);
          for (let i: u32 = 0; i < height; i += 4) {
            const to: usize = out + (((i0 + i) * n + j0 + j) << 2);
            const left: usize = rows + ((i * depth) << 2);
            tile(
              left,
              right,
              depth,
              to,
              n << 2,
              min(4, height - i),
              min(8, width - j),
              adds || k0 > 0,
              scratch,
            );
          }
        }
      }
    }
  }
}

function tile(
  a: usize,
  b: usize,
  depth: u32,
  out: usize,
  outStep: usize,
  rows: u32,
  columns: u32,
  adds: bool,
  scratch: usize,
): void {
  let c00 = f32x4.splat(0);
  let c01 = c00;
  let c10 = c00;
  let c11 = c00;
  let c20 = c00;
  let c21 = c00;
  let c30 = c00;
  let c31 = c00;
  for (; depth > 0; depth--, a += 16, b += 32) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    const a0 = v128.load32_splat(a);
    c00 = f32x4.add(c00, f32x4.mul(a0, b0));
    c01 = f32x4.add(c01, f32x4.mul(a0, b1));
    const a1 = v128.load32_splat(a, 4);
    c10 = f32x4.add(c10, f32x4.mul(a1, b0));
    c11 = f32x4.add(c11, f32x4.mul(a1, b1));
    const a2 = v128.load32_splat(a, 8);
    c20 = f32x4.add(c20, f32x4.mul(a2, b0));
    c21 = f32x4.add(c21, f32x4.mul(a2, b1));
    const a3 = v128.load32_splat(a, 12);
    c30 = f32x4.add(c30, f32x4.mul(a3, b0));
    c31 = f32x4.add(c31, f32x4.mul(a3, b1));
  }
  const isWhole = rows == 4 && columns == 8;
  const to = isWhole ? out : scratch;
  const step = isWhole ? outStep : 32;
  const addsHere = isWhole && adds;
  put(to, c00, c01, addsHere);
  put(to + step, c10, c11, addsHere);
  put(to + 2 * step, c20, c21, addsHere);
  put(to + 3 * step, c30, c31, addsHere);
  if (isWhole) return;
  for (let i: u32 = 0; i < rows; i++, out += outStep) {
    for (let j: u32 = 0; j < columns; j++) {
      const value = f32.load(scratch + (i << 5) + (j << 2));
      const at: usize = out + (j << 2);
      f32.store(at, adds ? f32.load(at) + value : value);
    }
  }
}

function put(out: usize, left: v128, right: v128, adds: bool): void {
  v128.store(out, adds ? f32x4.add(v128.load(out), left) : left);
  v128.store(out, adds ? f32x4.add(v128.load(out, 16), right) : right, 16);
}
