// Numbers as people read them, each with its unit.

const UNITS = ['B', 'KiB', 'MiB', 'GiB'];

/** `427 KiB`, `8.00 MiB`. */
export function formatBytes(bytes: number): string {
  let [value, unit] = [bytes, 0];
  while (value >= 1024 && unit < UNITS.length - 1) [value, unit] = [value / 1024, unit + 1];
  return `${unit === 0 ? value : significant(value)} ${UNITS[unit]}`;
}

/** `97.62 %` of a share of 0.9762. */
export function formatPercent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}

export function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}

/** Three significant digits, and whole from 1,000 on. */
export function significant(value: number): string {
  if (Math.abs(value) >= 999.5) return formatCount(Math.round(value));
  return value.toLocaleString('en-US', {
    minimumSignificantDigits: 3,
    maximumSignificantDigits: 3,
  });
}

/** A mean that follows `values`, each counting 10 % less than the one after it. */
export function smoothed(values: readonly number[]): number[] {
  let [sum, weight] = [0, 0];
  return values.map((value) => {
    sum = 0.9 * sum + value;
    weight = 0.9 * weight + 1;
    return sum / weight;
  });
}
