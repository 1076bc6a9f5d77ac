/** The largest whole number from `most`, which fits, to below `tooMany` that fits; more never fits where less does not. */
export function largestThat(
  fits: (count: number) => boolean,
  most: number,
  tooMany: number,
): number {
  let [yes, no] = [most, tooMany];
  while (no - yes > 1) {
    const half = Math.floor((yes + no) / 2);
    if (fits(half)) yes = half;
    else no = half;
  }
  return yes;
}
