/** How archives are to be compressed; the same shape as the repository's `Compression`. */
export interface CompressionSetting {
  readonly method: 'zstd' | 'gzip' | 'none';
  /** Absent for `none`. */
  readonly level?: number;
}

const methods = {
  zstd: { minimum: 1, maximum: 22, usual: 3 },
  gzip: { minimum: 1, maximum: 9, usual: 6 },
} as const;

/** What a backup does when nobody says otherwise. */
export const usualCompression: CompressionSetting = { method: 'zstd', level: methods.zstd.usual };

/** What `parseCompression` takes, in words for help texts and errors. */
export const compressionSyntax = 'zstd, zstd:LEVEL (1 to 22), gzip, gzip:LEVEL (1 to 9) or none';

/** The compression a user asked for: `zstd`, `zstd:9`, `gzip`, `gzip:1` or `none`. Undefined when the text is none of these. */
export function parseCompression(text: string): CompressionSetting | undefined {
  if (text === 'none') return { method: 'none' };
  const match = /^(zstd|gzip)(?::(\d{1,2}))?$/.exec(text);
  if (match === null) return undefined;
  const method = match[1] === 'zstd' ? 'zstd' : 'gzip';
  const { minimum, maximum, usual } = methods[method];
  const level = match[2] === undefined ? usual : Number(match[2]);
  return level < minimum || level > maximum ? undefined : { method, level };
}
