// The shape of the convolution whose gradient is computed next. Tensors are [batch, height, width, channels].

export let inHeight: u32 = 0;
export let inWidth: u32 = 0;
export let inChannels: u32 = 0;
export let outHeight: u32 = 0;
export let outWidth: u32 = 0;
export let outChannels: u32 = 0;
export let filterHeight: u32 = 0;
export let filterWidth: u32 = 0;
export let strideHeight: u32 = 0;
export let strideWidth: u32 = 0;
export let dilationHeight: u32 = 0;
export let dilationWidth: u32 = 0;
export let padTop: u32 = 0;
export let padLeft: u32 = 0;

export function geometry(
  height: u32,
  width: u32,
  channels: u32,
  newHeight: u32,
  newWidth: u32,
  newChannels: u32,
  rows: u32,
  columns: u32,
  rowStride: u32,
  columnStride: u32,
  rowDilation: u32,
  columnDilation: u32,
  top: u32,
  left: u32,
): void {
  inHeight = height;
  inWidth = width;
  inChannels = channels;
  outHeight = newHeight;
  outWidth = newWidth;
  outChannels = newChannels;
  filterHeight = rows;
  filterWidth = columns;
  strideHeight = rowStride;
  strideWidth = columnStride;
  dilationHeight = rowDilation;
  dilationWidth = columnDilation;
  padTop = top;
  padLeft = left;
}

/** The row or column of the input that a place of the output sees through a place of the filter; `size` or more: outside. */
export function seen(out: u32, stride: u32, at: u32, dilation: u32, pad: u32): u32 {
  return out * stride + at * dilation - pad;
}

/** The reverse: the place of the output that sees a place of the input through a place of the filter; `size` or more: none. */
export function seer(seenAt: u32, stride: u32, at: u32, dilation: u32, pad: u32): u32 {
  const span = seenAt + pad - at * dilation;
  if (<i32>span < 0) return u32.MAX_VALUE;
  if (stride == 1) return span;
  return span % stride == 0 ? span / stride : u32.MAX_VALUE;
}
