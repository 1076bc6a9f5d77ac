// A Lookahead of plain numbers, with weights that others change, freeze and unfreeze: what the tensors are compared
// with. Each weight has one element, a gradient of 1 and a learning rate of 1.

import type { ReplacedPolicy } from '#src/lookahead/options.js';

interface Weight {
  fast: number;
  slow: number;
  isTrainable: boolean;
  hasStepped: boolean;
  /** Others have changed it since the last write of the Lookahead. */
  isChanged: boolean;
  /** It was frozen when the Lookahead last looked. */
  wasFrozen: boolean;
  /** It took a step since the last sync. */
  hasMoved: boolean;
  /** It was frozen at its last sync, although it had moved. */
  hasMissed: boolean;
}

/** What a call of a Lookahead throws. */
export class Refused extends Error {
  readonly code: string | undefined;

  constructor(code?: string) {
    super(code);
    this.code = code;
  }
}

export class PlainLookahead {
  readonly weights: Weight[];
  /** In the order in which they were first seen. */
  readonly #tracked: Weight[] = [];
  readonly #period: number;
  readonly #policy: ReplacedPolicy;
  readonly #isInline: boolean;
  #steps = 0;
  /** The step at which the cycle began. */
  #begin: number | null = null;

  constructor(
    first: readonly number[],
    period: number,
    policy: ReplacedPolicy,
    { isInline = false } = {},
  ) {
    this.#isInline = isInline;
    this.#period = period;
    this.#policy = policy;
    this.weights = first.map((fast) => ({
      fast,
      slow: NaN,
      isTrainable: true,
      hasStepped: false,
      isChanged: false,
      wasFrozen: false,
      hasMoved: false,
      hasMissed: false,
    }));
  }

  get fast(): number[] {
    return this.weights.map(({ fast }) => fast);
  }

  get isDue(): boolean {
    return this.#begin !== null && this.#steps - this.#begin >= this.#period;
  }

  replace(i: number, value: number): void {
    Object.assign(this.weights[i] as Weight, { fast: value, isChanged: true });
  }

  setTrainable(i: number, isTrainable: boolean): void {
    (this.weights[i] as Weight).isTrainable = isTrainable;
  }

  minimize(): void {
    if (this.isDue) throw new Refused('SYNC_DUE');
    this.#notice();
    if (this.weights.every(({ isTrainable }) => !isTrainable)) throw new Refused();
    this.#step();
  }

  step(): void {
    this.sync();
    this.#step();
    this.sync();
  }

  attach(): void {
    this.sync();
    this.#track();
  }

  sync({ early = false } = {}): void {
    this.#notice();
    this.#assertCaptured();
    if (this.isDue || (early && this.#begin !== null && this.#steps > this.#begin)) this.#blend();
  }

  finish(): void {
    this.sync({ early: true });
    this.#restore();
  }

  discard(): void {
    this.#notice('ignore', false);
    this.#assertCaptured();
    this.#restore();
  }

  resync(): void {
    assertFinite(this.#tracked);
    for (const weight of this.#tracked) this.#capture(weight);
    this.#restart();
  }

  save(): number[] {
    if (this.isDue) throw new Refused('SYNC_DUE');
    this.#notice();
    this.#assertCaptured();
    return this.#tracked.map(slowToSave);
  }

  forget(i: number): void {
    this.sync();
    const weight = this.weights[i] as Weight;
    if (!this.#tracked.includes(weight)) return;
    this.#tracked.splice(this.#tracked.indexOf(weight), 1);
    for (const other of this.#tracked) other.slow = slowToSave(other);
    const isNew = { hasStepped: false, isChanged: false, hasMoved: false, hasMissed: false };
    Object.assign(weight, { slow: NaN, wasFrozen: false, ...isNew });
  }

  /** Another Lookahead goes on with what was saved. */
  saveAndLoad(): void {
    this.save();
    const isLoaded = { isChanged: false, hasStepped: true, hasMoved: true, hasMissed: false };
    for (const weight of this.#tracked) {
      const wasFrozen = !weight.isTrainable;
      Object.assign(weight, { slow: slowToSave(weight), wasFrozen, ...isLoaded });
    }
  }

  /** `inside` changes weights while they are shown. */
  swap(inside: () => void): number[] {
    this.sync();
    const shown = this.#movable.map((weight) => ({ weight, fast: weight.fast }));
    for (const { weight } of shown) this.#write(weight, weight.slow);
    const seen = this.fast;
    inside();
    const changed = this.#tracked.filter(({ isChanged }) => isChanged);
    this.#look();
    let isLost = false;
    for (const { weight, fast } of shown) {
      const stays = !weight.isTrainable || this.#policy !== 'throw';
      if (changed.includes(weight) && stays) continue;
      isLost ||= changed.includes(weight);
      this.#write(weight, fast);
    }
    if (isLost) throw new Refused('WEIGHTS_REPLACED');
    return seen;
  }

  get #movable(): Weight[] {
    return this.#tracked.filter(({ isTrainable }) => isTrainable);
  }

  #write(weight: Weight, value: number): void {
    Object.assign(weight, { fast: value, isChanged: false, wasFrozen: !weight.isTrainable });
  }

  #capture(weight: Weight): void {
    this.#write(weight, weight.fast);
    weight.slow = weight.fast;
  }

  /** The changed weights, and whether they were loaded: before their first step, or while frozen. */
  #look(): { weight: Weight; isLoaded: boolean }[] {
    const changed = [];
    for (const weight of this.#tracked) {
      if (!weight.isTrainable) weight.wasFrozen = true;
      else if (!weight.isChanged) weight.wasFrozen = false;
      else changed.push({ weight, isLoaded: !weight.hasStepped || weight.wasFrozen });
    }
    return changed;
  }

  /** What is not finite is refused, or not captured. */
  #notice(policy = this.#policy, isStrict = true): void {
    const changed = this.#look();
    if (policy === 'throw' && changed.some(({ isLoaded }) => !isLoaded)) {
      throw new Refused('WEIGHTS_REPLACED');
    }
    const anew = changed.filter(({ isLoaded }) => isLoaded || policy === 'resync');
    if (isStrict) assertFinite(anew.map(({ weight }) => weight));
    for (const { weight } of anew) if (Number.isFinite(weight.fast)) this.#capture(weight);
  }

  #track(): void {
    for (const weight of this.weights) {
      if (!weight.isTrainable || this.#tracked.includes(weight)) continue;
      this.#tracked.push(weight);
      this.#capture(weight);
      this.#begin ??= this.#steps;
    }
    this.#assertCaptured();
  }

  /** Weights that were not finite when they were first seen have no slow values until they are given others. */
  #assertCaptured(): void {
    if (this.#tracked.some(({ slow }) => !Number.isFinite(slow))) throw new Refused('NON_FINITE');
  }

  #step(): void {
    this.#track();
    if (this.#movable.length === 0) throw new Refused(); // TensorFlow.js refuses: nothing is trainable
    for (const weight of this.#movable) {
      this.#write(weight, weight.fast - 1);
      Object.assign(weight, { hasStepped: true, hasMoved: true });
    }
    this.#steps++;
    if (this.#isInline && this.isDue) this.#blend();
  }

  #blend(): void {
    const standsStill = (weight: Weight) =>
      !weight.isTrainable && weight.hasMoved && weight.hasMissed;
    if (this.#tracked.some(standsStill)) throw new Refused('WEIGHTS_FROZEN');
    assertFinite(this.#movable);
    for (const weight of this.#movable) {
      weight.slow += (weight.fast - weight.slow) / 2;
      this.#write(weight, weight.slow);
    }
    for (const weight of this.#tracked) {
      weight.hasMissed = !weight.isTrainable && (weight.hasMissed || weight.hasMoved);
      weight.hasMoved = false;
    }
    this.#restart();
  }

  #restore(): void {
    for (const weight of this.#movable) this.#write(weight, weight.slow);
    this.#restart();
  }

  #restart(): void {
    if (this.#begin !== null) this.#begin = this.#steps;
  }
}

/** What a frozen weight was given counts from now on: a file cannot say that it was given. */
function slowToSave({ fast, slow, isTrainable, isChanged }: Weight): number {
  return !isTrainable && isChanged && Number.isFinite(fast) ? fast : slow;
}

function assertFinite(weights: readonly Weight[]): void {
  if (!weights.every(({ fast }) => Number.isFinite(fast))) throw new Refused('NON_FINITE');
}
