// The error for when the memory of the device does not suffice, which says what holds it.

import { SlowlaneError } from '../../../checks/errors.js';
import { formatBytes } from '../../../checks/quantities.js';
import { type Breakdown, CATEGORIES, type Category } from '../../../engine/categories.js';

const REMEDIES: Readonly<Record<Category, string>> = {
  weights: 'a smaller model',
  gradients: 'a smaller batch or releasing the gradients in the backward pass',
  moments: 'an optimizer with less state',
  staging: 'reading less at once',
  activations: 'a smaller batch or activation checkpointing (`checkpoint()`)',
  pool: 'a smaller batch',
};

/**
 * An allocation that would have exceeded the VRAM budget. Nothing was allocated; training can continue with less.
 *
 * @hideconstructor
 */
export class VramBudgetError extends SlowlaneError {
  /** The name of the class. */
  override readonly name: string = 'VramBudgetError';
  /** The size of the allocation. */
  readonly neededBytes: number;
  /** The budget. */
  readonly budgetBytes: number;
  /** What was allocated at that time, with an empty pool. */
  readonly usedBytes: number;
  /** The same by category. */
  readonly breakdown: Breakdown;
  /** What the device takes beside that, because it rounds small buffers; 0 in Node without `subAllocate`. */
  readonly addedBytes: number;

  /** `enoughBytes`: what the device would have taken, this allocation included. */
  constructor(neededBytes: number, budgetBytes: number, enoughBytes: number, breakdown: Breakdown) {
    const usedBytes = CATEGORIES.reduce((sum, category) => sum + breakdown[category], 0);
    const parts = CATEGORIES.map((category) => `${category} ${formatBytes(breakdown[category])}`);
    const addedBytes = enoughBytes - usedBytes - neededBytes;
    const added =
      addedBytes === 0
        ? ''
        : `, and small buffers take ${formatBytes(addedBytes)} more on this device, which keeps that until stop()`;
    const largest = CATEGORIES.toSorted((a, b) => breakdown[b] - breakdown[a])[0] ?? 'activations';
    super(
      'OVER_BUDGET',
      `A tensor of ${formatBytes(neededBytes)} would pass the VRAM budget of ${formatBytes(budgetBytes)}: ` +
        `${formatBytes(usedBytes)} are in use (${parts.join(', ')})${added}. ` +
        `Use ${REMEDIES[largest]}, or a larger vramBudget: this tensor takes ${formatBytes(enoughBytes - budgetBytes)} ` +
        `more, and what comes after it may take more still.`,
      { neededBytes, budgetBytes, usedBytes, addedBytes, breakdown, largest },
    );
    this.neededBytes = neededBytes;
    this.budgetBytes = budgetBytes;
    this.usedBytes = usedBytes;
    this.breakdown = breakdown;
    this.addedBytes = addedBytes;
  }
}
