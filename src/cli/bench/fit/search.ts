// The largest count that fits, by as few tries as a good guess allows: every try trains.

export type Answer = 'fits' | 'too many' | 'stop';

export interface Found {
  /** The most that were tried and fitted; 0 if none did. */
  readonly most: number;
  /** One more was tried and did not fit. False: `max` fits, or a try said stop. */
  readonly isLargest: boolean;
}

/**
 * Goes from `guess` (1 without one) up while it fits, or down while it doesn't, in strides that double: 1, 2, 4.
 * Then halves what is left. No count is tried twice, and none above `max`. If the answers are not of one kind
 * below a count and of the other above, it ends all the same, where one fits and the next does not.
 */
export async function searchLargest(
  tryCount: (count: number) => Promise<Answer>,
  { guess, max }: { readonly guess: number | null; readonly max: number },
): Promise<Found> {
  let most = 0;
  let tooMany = max + 1;
  let stride = 1;
  let next = Math.min(Math.max(guess ?? 1, 1), max);
  while (tooMany - most > 1) {
    const answer = await tryCount(next);
    if (answer === 'stop') return { most, isLargest: false };
    if (answer === 'fits') most = next;
    else tooMany = next;
    if (tooMany > max) next = Math.min(most + stride, max);
    else if (most === 0) next = Math.max(tooMany - stride, 1);
    else next = Math.floor((most + tooMany) / 2);
    stride *= 2;
  }
  return { most, isLargest: tooMany <= max };
}
