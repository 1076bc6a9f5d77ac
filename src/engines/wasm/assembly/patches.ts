// Packs the patches of a convolution: the matrix that turns its gradients into products, of which only four rows at a time
// exist. Places outside of the image are zeros.

import {
  dilationHeight,
  dilationWidth,
  filterWidth,
  inChannels,
  inHeight,
  inWidth,
  outChannels,
  outHeight,
  outWidth,
  padLeft,
  padTop,
  seen,
  seer,
  strideHeight,
  strideWidth,
} from './geometry';
import { storeTransposed } from './strips';

/** Rows: places of the filter times channels of the input, from `row` on; columns: places of the output. */
export function packSeen(x: usize, row: u32, lanes: u32, k0: u32, count: u32, out: usize): void {
  if (lanes == 4 && (row % inChannels) + 4 <= inChannels) {
    packSeenLane(x, row, k0, count, out, true);
    return;
  }
  let lane: u32 = 0;
  for (; lane < lanes; lane++) packSeenLane(x, row + lane, k0, count, out + (lane << 2), false);
  for (; lane < 4; lane++) {
    for (let k: u32 = 0; k < count; k++) f32.store(out + (lane << 2) + (k << 4), 0);
  }
}

/** One row, or (isFour) four rows that are neighbours in the image's channels. */
function packSeenLane(x: usize, row: u32, k0: u32, count: u32, out: usize, isFour: bool): void {
  const place = row / inChannels;
  const fromChannel: usize = x + ((row % inChannels) << 2);
  const filterRow = place / filterWidth;
  const filterColumn = place % filterWidth;
  let column = k0 % outWidth;
  let rowOfAll = k0 / outWidth;
  let left = count;
  while (left > 0) {
    const image = rowOfAll / outHeight;
    const y = seen(rowOfAll % outHeight, strideHeight, filterRow, dilationHeight, padTop);
    const isInside = y < inHeight;
    const line: usize = fromChannel + (((image * inHeight + y) * inWidth * inChannels) << 2);
    for (let n = min(left, outWidth - column); n > 0; n--, column++, left--, out += 16) {
      const at = seen(column, strideWidth, filterColumn, dilationWidth, padLeft);
      const has = isInside && at < inWidth;
      const from: usize = line + ((at * inChannels) << 2);
      if (isFour) v128.store(out, has ? v128.load(from) : f32x4.splat(0));
      else f32.store(out, has ? f32.load(from) : 0);
    }
    column = 0;
    rowOfAll++;
  }
}

/** Rows: places of the input, from `row` on; columns: places of the filter times channels of the output. */
export function packSeers(dy: usize, row: u32, lanes: u32, k0: u32, count: u32, out: usize): void {
  let place = k0 / outChannels;
  let channel = k0 % outChannels;
  let left = count;
  while (left > 0) {
    const n = min(left, outChannels - channel);
    const filterRow = place / filterWidth;
    const filterColumn = place % filterWidth;
    const skip: usize = channel << 2;
    let a = seerPixel(dy, row, filterRow, filterColumn, skip);
    let b = lanes > 1 ? seerPixel(dy, row + 1, filterRow, filterColumn, skip) : 0;
    let c = lanes > 2 ? seerPixel(dy, row + 2, filterRow, filterColumn, skip) : 0;
    let d = lanes > 3 ? seerPixel(dy, row + 3, filterRow, filterColumn, skip) : 0;
    const none = f32x4.splat(0);
    let k: u32 = 0;
    for (; k + 4 <= n; k += 4, out += 64) {
      const at: usize = k << 2;
      storeTransposed(
        a ? v128.load(a + at) : none,
        b ? v128.load(b + at) : none,
        c ? v128.load(c + at) : none,
        d ? v128.load(d + at) : none,
        out,
        16,
      );
    }
    for (; k < n; k++, out += 16) {
      const at: usize = k << 2;
      f32.store(out, a ? f32.load(a + at) : 0);
      f32.store(out, b ? f32.load(b + at) : 0, 4);
      f32.store(out, c ? f32.load(c + at) : 0, 8);
      f32.store(out, d ? f32.load(d + at) : 0, 12);
    }
    left -= n;
    channel = 0;
    place++;
  }
}

/** Where the channels begin, `skip` bytes further; 0: no place of the output sees this one. */
function seerPixel(dy: usize, row: u32, filterRow: u32, filterColumn: u32, skip: usize): usize {
  const column = row % inWidth;
  const rowOfAll = row / inWidth;
  const image = rowOfAll / inHeight;
  const y = seer(rowOfAll % inHeight, strideHeight, filterRow, dilationHeight, padTop);
  if (y >= outHeight) return 0;
  const x = seer(column, strideWidth, filterColumn, dilationWidth, padLeft);
  if (x >= outWidth) return 0;
  return dy + ((((image * outHeight + y) * outWidth + x) * outChannels) << 2) + skip;
}
