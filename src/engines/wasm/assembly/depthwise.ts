// Gradients of depthwise convolutions: memory-bound, so plain loops with channels innermost. Sums are in float64 and in the
// order of tfjs's cpu backend, whose bits they have. sums: one float64 for each channel.

import {
  dilationHeight,
  dilationWidth,
  filterHeight,
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

/** out[place of the filter, channel of dy] ← sum of x·dy. */
export function depthwiseFilterGradient(
  x: usize,
  dy: usize,
  out: usize,
  batch: u32,
  sums: usize,
): void {
  for (let filterRow: u32 = 0; filterRow < filterHeight; filterRow++) {
    for (let filterColumn: u32 = 0; filterColumn < filterWidth; filterColumn++) {
      memory.fill(sums, 0, outChannels << 3);
      for (let row: u32 = 0; row < batch * outHeight; row++) {
        const y = seen(row % outHeight, strideHeight, filterRow, dilationHeight, padTop);
        if (y >= inHeight) continue;
        const line = ((row / outHeight) * inHeight + y) * inWidth;
        for (let column: u32 = 0; column < outWidth; column++) {
          const at = seen(column, strideWidth, filterColumn, dilationWidth, padLeft);
          if (at >= inWidth) continue;
          const pixel: usize = x + (((line + at) * inChannels) << 2);
          addProducts(pixel, dy + (((row * outWidth + column) * outChannels) << 2), sums);
        }
      }
      out = round(sums, outChannels, out);
    }
  }
}

/** sums[channel of dy] += x[its channel]·dy */
function addProducts(x: usize, dy: usize, sums: usize): void {
  if (inChannels == outChannels) {
    addPairs(x, dy, inChannels, sums);
    return;
  }
  const multiplier = outChannels / inChannels;
  for (let channel: u32 = 0; channel < inChannels; channel++, x += 4) {
    const value = <f64>f32.load(x);
    for (let i: u32 = 0; i < multiplier; i++, dy += 4, sums += 8) {
      f64.store(sums, f64.load(sums) + value * <f64>f32.load(dy));
    }
  }
}

/** sums += a·b, n channels. */
function addPairs(a: usize, b: usize, n: u32, sums: usize): void {
  let i: u32 = 0;
  for (; i + 2 <= n; i += 2, a += 8, b += 8, sums += 16) {
    const left = f64x2.promote_low_f32x4(v128.load64_zero(a));
    const right = f64x2.promote_low_f32x4(v128.load64_zero(b));
    v128.store(sums, f64x2.add(v128.load(sums), f64x2.mul(left, right)));
  }
  if (i < n) f64.store(sums, f64.load(sums) + <f64>f32.load(a) * <f64>f32.load(b));
}

function round(sums: usize, n: u32, out: usize): usize {
  for (let i: u32 = 0; i < n; i++, sums += 8, out += 4) f32.store(out, <f32>f64.load(sums));
  return out;
}

/** out[place of the input, channel] ← sum of dy·filter. */
export function depthwiseInputGradient(
  dy: usize,
  filter: usize,
  out: usize,
  batch: u32,
  sums: usize,
): void {
  for (let row: u32 = 0; row < batch * inHeight; row++) {
    for (let column: u32 = 0; column < inWidth; column++) {
      memory.fill(sums, 0, inChannels << 3);
      // From the last row and column of the filter on, as the places of the output then come in order.
      for (let i = filterHeight; i > 0; i--) {
        const y = seer(row % inHeight, strideHeight, i - 1, dilationHeight, padTop);
        if (y >= outHeight) continue;
        const line = ((row / inHeight) * outHeight + y) * outWidth;
        for (let j = filterWidth; j > 0; j--) {
          const at = seer(column, strideWidth, j - 1, dilationWidth, padLeft);
          if (at >= outWidth) continue;
          const weights: usize = filter + ((((i - 1) * filterWidth + j - 1) * outChannels) << 2);
          addWeighted(dy + (((line + at) * outChannels) << 2), weights, sums);
        }
      }
      out = round(sums, inChannels, out);
    }
  }
}

/** sums[channel of x] += its part of dy·weights */
function addWeighted(dy: usize, weights: usize, sums: usize): void {
  if (inChannels == outChannels) {
    addPairs(dy, weights, inChannels, sums);
    return;
  }
  const multiplier = outChannels / inChannels;
  for (let channel: u32 = 0; channel < inChannels; channel++, sums += 8) {
    let sum = f64.load(sums);
    for (let i: u32 = 0; i < multiplier; i++, dy += 4, weights += 4) {
      sum += <f64>f32.load(dy) * <f64>f32.load(weights);
    }
    f64.store(sums, sum);
  }
}
