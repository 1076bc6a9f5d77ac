// Max-pooling, and its gradient, which goes to the largest value of each window; of several to the first or the last.

import {
  filterHeight,
  filterWidth,
  inChannels,
  inHeight,
  inWidth,
  outHeight,
  outWidth,
  padLeft,
  padTop,
  strideHeight,
  strideWidth,
} from './geometry';

/**
 * x: [batch, inDepth, height, width, channels]. dy: the gradient of the result, for the gradient of x; 0: for the result.
 * A window without any number is −∞, and gives its gradient to none.
 */
export function maxPool(
  x: usize,
  dy: usize,
  out: usize,
  batch: u32,
  inDepth: u32,
  outDepth: u32,
  filterDepth: u32,
  strideDepth: u32,
  padFront: u32,
  isLast: bool,
): void {
  const lineBytes: usize = (inWidth * inChannels) << 2;
  const planeBytes: usize = inHeight * lineBytes;
  const volumeBytes: usize = inDepth * planeBytes;
  const isForward = dy == 0;
  if (!isForward) memory.fill(out, 0, batch * volumeBytes);
  for (let b: u32 = 0; b < batch; b++) {
    for (let zOut: u32 = 0; zOut < outDepth; zOut++) {
      const z0: i32 = zOut * strideDepth - padFront;
      for (let yOut: u32 = 0; yOut < outHeight; yOut++) {
        const y0: i32 = yOut * strideHeight - padTop;
        for (let xOut: u32 = 0; xOut < outWidth; xOut++) {
          const x0: i32 = xOut * strideWidth - padLeft;
          for (let channel: u32 = 0; channel < inChannels; channel++) {
            let largest: f32 = -Infinity;
            let found = false;
            let at: usize = 0;
            for (let z = max<i32>(z0, 0); z < min<i32>(z0 + filterDepth, inDepth); z++) {
              for (let y = max<i32>(y0, 0); y < min<i32>(y0 + filterHeight, inHeight); y++) {
                const line: usize = b * volumeBytes + z * planeBytes + y * lineBytes;
                for (
                  let column = max<i32>(x0, 0);
                  column < min<i32>(x0 + filterWidth, inWidth);
                  column++
                ) {
                  const offset: usize = line + ((column * inChannels + channel) << 2);
                  const value = f32.load(x + offset);
                  if (!(isLast ? value >= largest : value > largest)) continue;
                  largest = value;
                  found = true;
                  at = offset;
                }
              }
            }
            if (isForward) {
              f32.store(out, largest);
              out += 4;
            } else {
              if (found) f32.store(out + at, f32.load(out + at) + f32.load(dy));
              dy += 4;
            }
          }
        }
      }
    }
  }
}
