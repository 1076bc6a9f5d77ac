// Text that all benchmarks print: what was measured on which machine, whether it is complete, and why rows are empty.

import type { CellOptions } from '../../measure/cell-options.js';
import type { Failure } from '../../measure/failure.js';
import type { BenchRecord } from '../../measure/record.js';
import { formatCount } from '../../checks/quantities.js';

export const NONE = '–';

/** What a reader must not miss, and what it was measured on: the adapter with its driver, or another engine. */
export function headOf({ machine, isPartial, ended }: BenchRecord): string[] {
  const partial = isPartial ? [`PARTIAL: ${ended}`] : [];
  if (machine.adapter === null) return [...partial, `${machine.engine}; ${machine.cpu}`];
  const { name, software, driver } = machine.adapter;
  return [
    ...partial,
    ...(software ? ['SOFTWARE ADAPTER: bytes are exact, times mean nothing.'] : []),
    // The name ends with the driver.
    name.includes(driver) ? name : `${name}, ${driver}`,
  ];
}

/** Why rows have no numbers. */
export function failuresOf(
  rows: readonly { readonly name: string; readonly failure: Failure | null }[],
): string[] {
  return rows.flatMap(({ name, failure }) =>
    failure === null ? [] : [`${name}: ${failure.kind}: ${failure.reason}`],
  );
}

interface Measured {
  readonly options: Pick<CellOptions, 'model' | 'layers' | 'width' | 'batch'>;
  readonly cells: readonly { readonly parameters: number | null }[];
}

/** What was trained, as the beginning of a sentence. */
export function workloadOf({ options, cells }: Measured): string {
  const { model, layers, width, batch } = options;
  const name = model === 'stack' ? `${layers} dense layers of ${width}×${width}` : model;
  const parameters = cells.find((cell) => cell.parameters !== null)?.parameters ?? null;
  const size = parameters === null ? '' : ` (${formatCount(parameters)} parameters)`;
  return `${name}${size}, batch ${batch}`;
}
