import { checksumDigits, isChecksumAlgorithm, type ChecksumAlgorithm } from './checksum.ts';
import type { FilePath } from './filePath.ts';
import { parseLsn, type Lsn } from './lsn.ts';

/*
 * The lines of a backup manifest, each a latin1 string of its bytes without the line feed, exactly as
 * src/backend/backup/backup_manifest.c and src/bin/pg_combinebackup/write_manifest.c write them. Regular expressions
 * rather than a JSON parser: fixed key order, every byte accounted for, no duplicate keys, no number rounded.
 */

/** A file of the backup, as the manifest describes it. */
export interface ManifestFile {
  /** Relative to the data directory. Not checked for `..`: see `isSafeRelativePath`. */
  readonly path: FilePath;
  readonly size: number;
  /** As in the manifest, for example `2026-11-22 11:00:52 GMT`. */
  readonly lastModified: string;
  readonly algorithm: ChecksumAlgorithm | 'NONE';
  /** Lowercase hexadecimal, empty for `NONE`. */
  readonly checksum: string;
}

/** WAL the backup needs to become consistent. */
export interface ManifestWalRange {
  readonly timeline: number;
  readonly start: Lsn;
  readonly end: Lsn;
}

/** An entry of a list, and whether its comma announces another. */
export interface ListEntry<T> {
  readonly value: T;
  readonly more: boolean;
}

const VERSION = /^\{ "PostgreSQL-Backup-Manifest-Version": (\d{1,9}),$/;
const SYSTEM_IDENTIFIER = /^"System-Identifier": (\d{1,20}),$/;
const FILE =
  /^\{ (?:"Path": "((?:[^"\\]|\\.)+)"|"Encoded-Path": "((?:[0-9a-f]{2})+)"), "Size": (\d{1,16}), "Last-Modified": "([^"\\]+)"(?:, "Checksum-Algorithm": "([A-Z0-9]+)", "Checksum": "([0-9a-f]+)")? \}(,?)$/;
const WAL_RANGE = /^\{ "Timeline": (\d{1,10}), "Start-LSN": "([0-9A-F/]+)", "End-LSN": "([0-9A-F/]+)" \}(,?)$/;
const CHECKSUM = /^"Manifest-Checksum": "([0-9a-f]{64})"\}$/;

const MAXIMUM_UINT32 = 0xffff_ffff;
const MAXIMUM_UINT64 = 0xffff_ffff_ffff_ffffn;

/** The version on the first line, any that is a number; undefined for what is no such line, as in all these functions. */
export function parseVersionLine(line: string): number | undefined {
  const version = Number(VERSION.exec(line)?.[1] ?? 0);
  return version === 0 ? undefined : version;
}

/** The database system identifier, unsigned 64 bits. */
export function parseSystemIdentifierLine(line: string): bigint | undefined {
  const digits = SYSTEM_IDENTIFIER.exec(line)?.[1];
  if (digits === undefined) return undefined;
  const identifier = BigInt(digits);
  return identifier > MAXIMUM_UINT64 ? undefined : identifier;
}

/** A line of "Files". */
export function parseFileLine(line: string): ListEntry<ManifestFile> | undefined {
  const match = FILE.exec(line);
  if (match === null) return undefined;
  const [, escapedPath, encodedPath, sizeDigits, lastModified = '', algorithm = 'NONE', checksum = '', comma] = match;
  const path = escapedPath === undefined ? hexPath(encodedPath ?? '') : unescapePath(escapedPath);
  const size = Number(sizeDigits);
  if (path === undefined || !Number.isSafeInteger(size)) return undefined;
  if (algorithm === 'NONE') {
    if (match[5] !== undefined) return undefined;
    return { value: { path, size, lastModified, algorithm, checksum: '' }, more: comma === ',' };
  }
  if (!isChecksumAlgorithm(algorithm) || checksum.length !== checksumDigits(algorithm)) return undefined;
  return { value: { path, size, lastModified, algorithm, checksum }, more: comma === ',' };
}

/** A line of "WAL-Ranges". */
export function parseWalRangeLine(line: string): ListEntry<ManifestWalRange> | undefined {
  const match = WAL_RANGE.exec(line);
  if (match === null) return undefined;
  const timeline = Number(match[1]);
  const [start, end] = [lsn(match[2]), lsn(match[3])];
  if (timeline < 1 || timeline > MAXIMUM_UINT32 || start === undefined || end === undefined || start > end) {
    return undefined;
  }
  return { value: { timeline, start, end }, more: match[4] === ',' };
}

/** The SHA-256 on the last line. */
export function parseChecksumLine(line: string): string | undefined {
  return CHECKSUM.exec(line)?.[1];
}

function lsn(text: string | undefined): bigint | undefined {
  try {
    return parseLsn(text ?? '');
  } catch {
    return undefined;
  }
}

function hexPath(digits: string): FilePath {
  return Buffer.from(digits, 'hex').toString('latin1') as FilePath;
}

/** What `escape_json` made of a path: escapes for control characters, quote and backslash; the rest are its bytes. */
function unescapePath(escaped: string): FilePath | undefined {
  if (!escaped.includes('\\')) return escaped as FilePath;
  // A `\u` beyond ASCII would have to become UTF-8 first; no server writes one.
  if (/(?:^|[^\\])(?:\\\\)*\\u(?!00[0-7])/.test(escaped)) return undefined;
  try {
    return JSON.parse(`"${escaped}"`) as FilePath;
  } catch {
    return undefined;
  }
}
