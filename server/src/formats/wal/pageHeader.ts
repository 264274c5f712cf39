import { formatLsn, type Lsn } from '../lsn.ts';

/** `XLOG_BLCKSZ` as every packaged server is built. */
export const WAL_PAGE_SIZE = 8192;

/** Size of a page's header, `SizeOfXLogShortPHD` and, on a segment's first page, `SizeOfXLogLongPHD`. */
export const SHORT_HEADER = 24;
export const LONG_HEADER = 40;

const FIRST_IS_CONTRECORD = 0x0001;
const HAS_LONG_HEADER = 0x0002;
/** `XLP_ALL_FLAGS` of servers 13 to 18. */
const ALL_FLAGS = 0x000f;

/** `XLOG_PAGE_MAGIC` of each major version. */
const MAGICS: Readonly<Record<number, number>> = {
  13: 0xd106,
  14: 0xd10d,
  15: 0xd110,
  16: 0xd113,
  17: 0xd116,
  18: 0xd118,
};

/** What a cluster's WAL must look like. */
export interface WalIdentity {
  readonly major: number;
  readonly systemIdentifier: bigint;
  /** Bytes. */
  readonly segmentSize: number;
}

/** What is expected of one page. */
export interface PageExpectation {
  readonly identity: WalIdentity;
  readonly address: Lsn;
  /** Whether it is the first page of its segment. */
  readonly first: boolean;
  /** The timeline of the page before, 1 at the beginning. */
  readonly minimumTimeline: number;
  /** The timeline in the segment's file name. */
  readonly maximumTimeline: number;
}

/** Whether servers of this major version are known here. */
export function isKnownWalMajor(major: number): boolean {
  return MAGICS[major] !== undefined;
}

/** Bytes of the header in front of the page's records. */
export function pageHeaderSize(page: Buffer): number {
  return (page.readUInt16LE(2) & HAS_LONG_HEADER) === 0 ? SHORT_HEADER : LONG_HEADER;
}

/** The timeline a page was written on. */
export function pageTimeline(page: Buffer): number {
  return page.readUInt32LE(4);
}

/** Bytes of a record begun on an earlier page that continue on this one and beyond; 0 when there is none. */
export function pageContinuation(page: Buffer): number {
  return (page.readUInt16LE(2) & FIRST_IS_CONTRECORD) === 0 ? 0 : page.readUInt32LE(16);
}

/**
 * What is wrong with the header at the beginning of `page`, as the end of a sentence; undefined when nothing is. The
 * rules of `XLogReaderValidatePageHeader` (src/backend/access/transam/xlogreader.c). `page` has at least the header.
 */
export function pageHeaderProblem(page: Buffer, expected: PageExpectation): string | undefined {
  const { identity, address, first } = expected;
  const flags = page.readUInt16LE(2);
  const writtenFor = page.readBigUInt64LE(8);
  const timeline = pageTimeline(page);
  if (page.readUInt16LE(0) !== MAGICS[identity.major]) return `is no WAL of PostgreSQL ${identity.major}`;
  if ((flags & ~ALL_FLAGS) !== 0) return 'has flags no server sets';
  if (((flags & HAS_LONG_HEADER) !== 0) !== first) return 'has a header of the wrong kind';
  if (first) {
    const systemIdentifier = page.readBigUInt64LE(24);
    if (systemIdentifier !== identity.systemIdentifier) {
      return `is of another cluster, whose system identifier is ${systemIdentifier.toString()}`;
    }
    const segmentSize = page.readUInt32LE(32);
    if (segmentSize !== identity.segmentSize) return `is of a segment of ${segmentSize} bytes`;
    const pageSize = page.readUInt32LE(36);
    if (pageSize !== WAL_PAGE_SIZE) return `is ${pageSize} bytes long instead of ${WAL_PAGE_SIZE}`;
  }
  if (writtenFor !== address) return `was written for position ${formatLsn(writtenFor)}`;
  if (timeline < expected.minimumTimeline) return `is of timeline ${timeline}, older than the page before`;
  if (timeline > expected.maximumTimeline) return `is of timeline ${timeline}, newer than its file`;
  return undefined;
}
