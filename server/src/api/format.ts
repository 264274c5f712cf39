/** How sizes, durations, times and counts are written, everywhere on the command line. */

const byteUnits = ['bytes', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'] as const;

/** Bytes in decimal units with three digits: `512 bytes`, `1.46 GB`, `146 MB`. */
export function formatBytes(bytes: number): string {
  if (bytes === 1) return '1 byte';
  let value = bytes;
  for (const unit of byteUnits) {
    const digits = unit === 'bytes' ? 0 : value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    const rounded = value.toFixed(digits);
    if (Number(rounded) < 1000 || unit === 'EB') return `${rounded} ${unit}`;
    value /= 1000;
  }
  return `${bytes} bytes`;
}

/** Bytes per second: `112 MB/s`. */
export function formatRate(bytesPerSecond: number): string {
  return `${formatBytes(Math.round(bytesPerSecond))}/s`;
}

/** A duration in its two largest units: `0.4 s`, `12 s`, `1 min 12 s`, `2 h 5 min`, `3 d 4 h`. */
export function formatDuration(milliseconds: number): string {
  const tenths = Math.round(milliseconds / 100);
  if (tenths < 100) return `${(tenths / 10).toFixed(1)} s`;
  return inUnits(Math.round(milliseconds / 1000));
}

/** A duration that is still running or only estimated, in whole seconds: `0 s`, `12 s`, `1 min 12 s`. */
export function formatRunning(milliseconds: number): string {
  return inUnits(Math.floor(milliseconds / 1000));
}

function inUnits(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return joined(`${minutes} min`, seconds % 60, 's');
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return joined(`${hours} h`, minutes % 60, 'min');
  return joined(`${Math.floor(hours / 24)} d`, hours % 24, 'h');
}

function joined(large: string, small: number, unit: string): string {
  return small === 0 ? large : `${large} ${small} ${unit}`;
}

/** How long ago in one unit, for tables: `now`, `5 min`, `3 h`, `12 d`. A moment in the future (another machine's clock) is `now`. */
export function formatAge(milliseconds: number): string {
  const minutes = Math.floor(milliseconds / 60_000);
  if (minutes < 1) return 'now';
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h`;
  return `${Math.floor(minutes / (24 * 60))} d`;
}

/**
 * A moment as UTC and local time: `2026-11-22 11:00:52 UTC (12:00:52 +01:00 here)`, the local date only where it differs, nothing
 * local where local is UTC. `offsetMinutes` is minutes east of UTC.
 */
export function formatMoment(moment: Date, offsetMinutes: number = -moment.getTimezoneOffset()): string {
  const utc = clockText(moment);
  if (offsetMinutes === 0) return `${utc} UTC`;
  const local = clockText(new Date(moment.getTime() + offsetMinutes * 60_000));
  const shown = local.slice(0, 10) === utc.slice(0, 10) ? local.slice(11) : local;
  return `${utc} UTC (${shown} ${offsetText(offsetMinutes)} here)`;
}

function clockText(moment: Date): string {
  return moment.toISOString().slice(0, 19).replace('T', ' ');
}

function offsetText(minutes: number): string {
  const size = Math.abs(minutes);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

/** A count with its noun: `1 file`, `1,204 files`. */
export function formatCount(count: number, noun: string, plural = `${noun}s`): string {
  return `${String(count).replaceAll(/\B(?=(?:\d{3})+$)/g, ',')} ${count === 1 ? noun : plural}`;
}

/**
 * Text from a server, a file name or a label, safe to show: control characters, which could move the cursor or pretend to be our
 * own output, are written as `\x1b`.
 */
export function printable(text: string): string {
  return text.replaceAll(
    // eslint-disable-next-line no-control-regex -- control characters are what this is about
    /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (character) => {
      const code = character.charCodeAt(0);
      return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`;
    },
  );
}
