import { PointbackError } from '../api/errors.ts';

/** A position in the WAL: bytes since the beginning of the cluster's history (`XLogRecPtr`, 64 bits unsigned). */
export type Lsn = bigint;

/** The largest LSN there can be. */
const MAXIMUM_LSN: Lsn = 0xffff_ffff_ffff_ffffn;

/**
 * The LSN written as `text`: two hexadecimal halves of any width around a slash, as `pg_lsn` reads it. Servers up to 18
 * write `%X/%X`, 19 writes `%X/%08X`: the same LSN has more than one spelling, so parse before comparing.
 * Throws `lsn.invalid`.
 */
export function parseLsn(text: string): Lsn {
  const match = /^([0-9a-f]{1,8})\/([0-9a-f]{1,8})$/i.exec(text);
  if (match === null) {
    throw new PointbackError('lsn.invalid', { message: `"${text.slice(0, 40)}" is not a WAL position (LSN).` });
  }
  return (BigInt(`0x${match[1] ?? ''}`) << 32n) | BigInt(`0x${match[2] ?? ''}`);
}

/** The LSN as servers up to 18 write it (`%X/%X`). Throws a RangeError for what is no unsigned 64-bit number. */
export function formatLsn(lsn: Lsn): string {
  if (lsn < 0n || lsn > MAXIMUM_LSN) throw new RangeError(`not an LSN: ${lsn.toString()}`);
  return `${(lsn >> 32n).toString(16)}/${(lsn & 0xffff_ffffn).toString(16)}`.toUpperCase();
}

/** Whether a server can have been initialised with this WAL segment size in bytes: a power of two, 1 MiB to 1 GiB. */
export function isWalSegmentSize(size: number): boolean {
  return Number.isInteger(size) && size >= 1 << 20 && size <= 1 << 30 && (size & (size - 1)) === 0;
}

/** The number of the segment that holds the byte at `lsn` (`XLByteToSeg`). Size in bytes. */
export function walSegmentNumber(lsn: Lsn, segmentSize: number): bigint {
  return lsn / BigInt(segmentSize);
}

/**
 * The number of the segment that holds the last byte before `lsn` (`XLByteToPrevSeg`): where a range that ends at `lsn`
 * ends. `lsn` must not be 0.
 */
export function walSegmentNumberBefore(lsn: Lsn, segmentSize: number): bigint {
  if (lsn <= 0n) throw new RangeError('nothing lies before LSN 0/0');
  return (lsn - 1n) / BigInt(segmentSize);
}

/** The LSN of the first byte of segment `segmentNumber`. */
export function walSegmentStart(segmentNumber: bigint, segmentSize: number): Lsn {
  return segmentNumber * BigInt(segmentSize);
}

/** How far `lsn` lies inside its segment, in bytes. */
export function walSegmentOffset(lsn: Lsn, segmentSize: number): number {
  return Number(lsn % BigInt(segmentSize));
}
