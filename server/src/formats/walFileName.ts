import { walSegmentNumber, walSegmentNumberBefore, type Lsn } from './lsn.ts';

/** The three 32-bit numbers of a WAL segment's file name. */
export interface WalFileName {
  readonly timeline: number;
  /** The high half of the segment's first LSN. */
  readonly log: number;
  /** The segment's number within the 4 GiB that share `log`. */
  readonly seg: number;
}

const hex8 = (value: number | bigint): string => value.toString(16).toUpperCase().padStart(8, '0');

const segmentsPerLog = (segmentSize: number): bigint => 0x1_0000_0000n / BigInt(segmentSize);

/** The file name of segment `segmentNumber` on `timeline` (`XLogFileName` of xlog_internal.h). Size in bytes. */
export function formatWalFileName(timeline: number, segmentNumber: bigint, segmentSize: number): string {
  const perLog = segmentsPerLog(segmentSize);
  return hex8(timeline) + hex8(segmentNumber / perLog) + hex8(segmentNumber % perLog);
}

/** The numbers in a WAL segment's file name, or undefined when `name` is none (`.partial` and `.history` included). */
export function parseWalFileName(name: string): WalFileName | undefined {
  const match = /^([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})$/.exec(name);
  if (match === null) return undefined;
  const [timeline, log, seg] = match.slice(1).map((digits) => parseInt(digits, 16));
  return timeline === undefined || log === undefined || seg === undefined ? undefined : { timeline, log, seg };
}

/**
 * The number of the segment named `name` (`XLogFromFileName`), or undefined when the name is no segment's or cannot be
 * one with this segment size.
 */
export function walSegmentNumberOfFile(name: string, segmentSize: number): bigint | undefined {
  const parsed = parseWalFileName(name);
  if (parsed === undefined || BigInt(parsed.seg) >= segmentsPerLog(segmentSize)) return undefined;
  return BigInt(parsed.log) * segmentsPerLog(segmentSize) + BigInt(parsed.seg);
}

/** Whether `name` is a timeline history file's, such as `00000002.history`. */
export function isHistoryFileName(name: string): boolean {
  return /^[0-9A-F]{8}\.history$/.test(name);
}

/** The name of the file that tells where `timeline` comes from. Timeline 1 has none. */
export function historyFileName(timeline: number): string {
  return `${hex8(timeline)}.history`;
}

/**
 * The file names, in order, of every segment on `timeline` with a byte in `start` (inclusive) to `end` (exclusive):
 * segment(START) to segment(END−1), what a restore of a backup between these LSNs needs. Empty when the range is.
 */
export function walSegmentsOfRange(timeline: number, start: Lsn, end: Lsn, segmentSize: number): string[] {
  if (end <= start) return [];
  const names: string[] = [];
  const last = walSegmentNumberBefore(end, segmentSize);
  for (let segment = walSegmentNumber(start, segmentSize); segment <= last; segment++) {
    names.push(formatWalFileName(timeline, segment, segmentSize));
  }
  return names;
}
