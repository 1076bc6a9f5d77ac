// Numbers as people read them. A unit is always beside its number.

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** `427 KiB`, `8.00 MiB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : significant(value)} ${BYTE_UNITS[unit]}`;
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

/** Three significant digits, and whole from 1,000 on: `0.0123`, `4.56`, `1,234`. */
export function significant(value: number): string {
  if (Math.abs(value) >= 999.5) return formatCount(Math.round(value));
  return value.toLocaleString('en-US', {
    minimumSignificantDigits: 3,
    maximumSignificantDigits: 3,
  });
}
