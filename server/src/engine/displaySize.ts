const units = ['bytes', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** A size for humans, decimal units: `999 bytes`, `1.46 GB`. */
export function displaySize(bytes: number): string {
  let unit = 0;
  let value = bytes;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return unit === 0 ? `${bytes} bytes` : `${value.toPrecision(3)} ${units[unit] ?? ''}`;
}
