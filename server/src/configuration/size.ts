const factors: Readonly<Record<string, number>> = { k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/**
 * Bytes of a size as users write it: `512k`, `32M`, `1.5G`, `32MB`, `32MiB`, `65536B`. The units are powers of 1024, as in
 * PostgreSQL's settings and `pg_basebackup --max-rate`. Undefined when the text is no size, and for a number without a
 * unit: that would mean kB to those who know `pg_basebackup` and bytes to everybody else.
 */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s?(?:([kmgt])(?:i?b)?|b)$/i.exec(text);
  if (match === null) return undefined;
  const factor = match[2] === undefined ? 1 : (factors[match[2].toLowerCase()] ?? Number.NaN);
  const bytes = Number(match[1]) * factor;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** The slowest and fastest rates BASE_BACKUP's MAX_RATE takes, bytes per second (PostgreSQL's `replication/basebackup.c`). */
const maxRateRange = { minimum: 32 * 1024, maximum: 1024 * 1024 * 1024 };

/** What `parseMaxRate` takes, in words for help texts and errors. */
export const maxRateSyntax = 'a size per second with its unit, from 32k to 1024M, such as 32M';

/** kB per second for BASE_BACKUP's MAX_RATE, from bytes per second. Undefined when the server would refuse it. */
export function toMaxRateKb(bytesPerSecond: number): number | undefined {
  if (bytesPerSecond < maxRateRange.minimum || bytesPerSecond > maxRateRange.maximum) return undefined;
  return Math.floor(bytesPerSecond / 1024);
}

/** kB per second for BASE_BACKUP's MAX_RATE, from a text such as `32M`. Undefined when it is no size or the server would refuse it. */
export function parseMaxRate(text: string): number | undefined {
  const bytes = parseSize(text);
  return bytes === undefined ? undefined : toMaxRateKb(bytes);
}
