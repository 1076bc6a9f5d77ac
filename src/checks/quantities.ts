// Numbers as people read them. A unit is always beside its number. The report's page uses this file too, so it
// imports nothing.

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** `427 KiB`, `1.25 MiB`, `8 MiB`: at most three digits below 1,000. */
export function formatBytes(bytes: number): string {
  let [amount, unit] = [bytes, 0];
  // 1,023.5 KiB would be shown as 1,024 KiB.
  while (amount >= 1023.5 && unit < BYTE_UNITS.length - 1)
    [amount, unit] = [amount / 1024, unit + 1];
  const digits = amount >= 999.5 ? Math.round(amount) : Number(amount.toPrecision(3));
  return `${formatCount(digits)} ${BYTE_UNITS[unit]}`;
}

/** `412 ms`, `9.31 s`, `12 min 05 s`. */
export function formatMs(ms: number): string {
  if (ms < 1000) return `${significant(ms)} ms`;
  if (ms < 60_000) return `${significant(ms / 1000)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`;
}

/** Time to wait: `1:05`, `2:00:07`. */
export function formatClock(seconds: number): string {
  const whole = Math.ceil(seconds);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const rest = String(whole % 60).padStart(2, '0');
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${rest}` : `${minutes}:${rest}`;
}

/** `97.62 %` of a share of 0.9762. */
export function formatPercent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}

/** `60,000`. */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}

/** `1.3B`, `350M`, `8.2k`: at most three digits, rounded down, so that a model of this size still fits. */
export function shortCount(count: number): string {
  for (const [unit, one] of [
    ['B', 1e9],
    ['M', 1e6],
    ['k', 1e3],
  ] as const) {
    if (count < one) continue;
    const digits = Math.max(0, 2 - Math.floor(Math.log10(count / one)));
    return `${Math.floor((count / one) * 10 ** digits + 1e-9) / 10 ** digits}${unit}`;
  }
  return String(Math.floor(count));
}

/** Three significant digits, and whole from 1,000 on: `0.0123`, `4.56`, `1,234`. */
export function significant(value: number): string {
  if (Math.abs(value) >= 999.5) return formatCount(Math.round(value));
  return value.toLocaleString('en-US', {
    minimumSignificantDigits: 3,
    maximumSignificantDigits: 3,
  });
}
