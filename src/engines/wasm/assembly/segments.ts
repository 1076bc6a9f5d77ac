// The sum of the rows of each segment, in float64 and in the order of the rows: the bits of tfjs's cpu backend.

/**
 * out[segment] ← sum of the rows of x whose id it is; rows of other ids count nowhere. lists: a number for each segment and
 * one for each row. sums: a float64 for each element of a row.
 */
export function segmentSum(
  x: usize,
  ids: usize,
  out: usize,
  rows: u32,
  width: u32,
  segments: u32,
  lists: usize,
  sums: usize,
): void {
  // For each segment its first row, and for each row the next of the same segment; counted from 1, 0 ends.
  const next: usize = lists + (segments << 2);
  memory.fill(lists, 0, segments << 2);
  for (let row = rows; row > 0; row--) {
    const id = load<u32>(ids + ((row - 1) << 2));
    if (id >= segments) continue;
    const first: usize = lists + (id << 2);
    store<u32>(next + ((row - 1) << 2), load<u32>(first));
    store<u32>(first, row);
  }
  for (let segment: u32 = 0; segment < segments; segment++) {
    memory.fill(sums, 0, width << 3);
    let row = load<u32>(lists + (segment << 2));
    for (; row > 0; row = load<u32>(next + ((row - 1) << 2))) {
      const from: usize = x + (((row - 1) * width) << 2);
      for (let i: u32 = 0; i < width; i++) {
        const at: usize = sums + (i << 3);
        f64.store(at, f64.load(at) + <f64>f32.load(from + (i << 2)));
      }
    }
    for (let i: u32 = 0; i < width; i++, out += 4) f32.store(out, <f32>f64.load(sums + (i << 3)));
  }
}
