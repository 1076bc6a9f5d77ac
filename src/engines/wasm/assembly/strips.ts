// Copies four lanes (rows of A, or columns of B) side by side: out[k] holds the k-th element of each.

export function storeTransposed(
  a: v128,
  b: v128,
  c: v128,
  d: v128,
  out: usize,
  outStep: usize,
): void {
  const ab0 = v128.shuffle<i32>(a, b, 0, 4, 1, 5);
  const ab1 = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
  const cd0 = v128.shuffle<i32>(c, d, 0, 4, 1, 5);
  const cd1 = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
  v128.store(out, v128.shuffle<i64>(ab0, cd0, 0, 2));
  v128.store(out + outStep, v128.shuffle<i64>(ab0, cd0, 1, 3));
  v128.store(out + 2 * outStep, v128.shuffle<i64>(ab1, cd1, 0, 2));
  v128.store(out + 3 * outStep, v128.shuffle<i64>(ab1, cd1, 1, 3));
}

/**
 * Elements k0 … k0 + count of `lanes` lanes; those that are missing of four are zeros. Element k of a lane lies
 * ⌊k / run⌋·runStep + (k mod run)·step from its begin, and the lanes laneStep from each other. outStep: in bytes.
 */
export function packStrip(
  from: usize,
  laneStep: u32,
  step: u32,
  run: u32,
  runStep: u32,
  k0: u32,
  count: u32,
  lanes: u32,
  out: usize,
  outStep: usize,
): void {
  let inRun = k0 % run;
  let at: usize = from + (((k0 / run) * runStep + inRun * step) << 2);
  const stepBytes: usize = step << 2;
  const laneBytes: usize = laneStep << 2;
  const jump: usize = (runStep - run * step) << 2;
  let k: u32 = 0;
  while (k < count) {
    let left = min(run - inRun, count - k);
    k += left;
    if (lanes == 4 && laneStep == 1) {
      for (; left > 0; left--, at += stepBytes, out += outStep) v128.store(out, v128.load(at));
    } else {
      if (lanes == 4 && step == 1) {
        for (; left >= 4; left -= 4, at += 16, out += 4 * outStep) {
          storeTransposed(
            v128.load(at),
            v128.load(at + laneBytes),
            v128.load(at + 2 * laneBytes),
            v128.load(at + 3 * laneBytes),
            out,
            outStep,
          );
        }
      }
      for (; left > 0; left--, at += stepBytes, out += outStep) {
        let lane: u32 = 0;
        for (; lane < lanes; lane++)
          f32.store(out + (lane << 2), f32.load(at + <usize>lane * laneBytes));
        for (; lane < 4; lane++) f32.store(out + (lane << 2), 0);
      }
    }
    at += jump;
    inRun = 0;
  }
}
