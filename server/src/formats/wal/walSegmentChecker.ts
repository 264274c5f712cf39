import { PointbackError } from '../../api/errors.ts';
import { formatLsn, isWalSegmentSize, walSegmentStart, type Lsn } from '../lsn.ts';
import { parseWalFileName, walSegmentNumberOfFile } from '../walFileName.ts';
import {
  isKnownWalMajor,
  LONG_HEADER,
  pageHeaderProblem,
  pageTimeline,
  SHORT_HEADER,
  WAL_PAGE_SIZE,
  type WalIdentity,
} from './pageHeader.ts';
import { endsWithSwitchRecord } from './switchRecord.ts';

const ZERO_PAGE = Buffer.alloc(WAL_PAGE_SIZE);

/**
 * Tells up to where a WAL segment is valid, from its bytes cut anywhere: every page must carry the header of its place,
 * timeline and cluster. A page without one ends the WAL (a segment that was recycled or made in advance goes on with old
 * or no content), unless the WAL was switched there: then zeros up to the segment's end belong to it. Records are not
 * looked into, so damage inside a page is not found here.
 */
export class WalSegmentChecker {
  readonly #name: string;
  readonly #identity: WalIdentity;
  readonly #start: Lsn;
  readonly #fileTimeline: number;
  #timeline = 1;
  /** The page that is filling up, and the two before it: a switch record can span two pages. */
  #page = Buffer.allocUnsafe(WAL_PAGE_SIZE);
  #previous = Buffer.allocUnsafe(WAL_PAGE_SIZE);
  #beforePrevious = Buffer.allocUnsafe(WAL_PAGE_SIZE);
  #filled = 0;
  #received = 0;
  #validBytes = 0;
  #switched = false;
  #problem: string | undefined;

  /** `name` is the segment's file name. Throws `wal.damaged` when no segment of such a cluster can have it. */
  constructor(name: string, identity: WalIdentity) {
    const parsed = parseWalFileName(name);
    const start = startOfSegment(name, identity.segmentSize);
    if (parsed === undefined) throw noSegmentName(name);
    if (!isKnownWalMajor(identity.major)) throw new RangeError(`no WAL of PostgreSQL ${identity.major} is known`);
    this.#name = name;
    this.#identity = identity;
    this.#start = start;
    this.#fileTimeline = parsed.timeline;
  }

  /** The LSN behind the last byte of the segment named `name`. Throws `wal.damaged` when the name is no segment's. */
  static endOfSegment(name: string, segmentSize: number): Lsn {
    return startOfSegment(name, segmentSize) + BigInt(segmentSize);
  }

  /** Why the WAL ends before the last byte pushed, as a sentence; undefined when it does not. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** The next bytes of the segment; no reference to them is kept. Throws `wal.damaged` when they exceed a segment. */
  push(piece: Uint8Array): void {
    this.#received += piece.length;
    if (this.#received > this.#identity.segmentSize) {
      throw this.#damaged(`WAL segment ${this.#name} is longer than a segment.`);
    }
    let at = 0;
    while (at < piece.length) {
      const end = Math.min(at + WAL_PAGE_SIZE - this.#filled, piece.length);
      this.#page.set(piece.subarray(at, end), this.#filled);
      this.#filled += end - at;
      at = end;
      if (this.#filled === WAL_PAGE_SIZE) this.#endPage();
    }
  }

  /** The segment's bytes are complete, or all there are of them so far. Returns up to where its WAL is valid. */
  end(): Lsn {
    if (this.#filled > 0) this.#endPage();
    return this.#start + BigInt(this.#validBytes);
  }

  /** Throws `wal.damaged` when, after `end`, the WAL is not valid up to `lsn` or, where that comes first, the segment's end. */
  requireValidUpTo(lsn: Lsn): void {
    const segmentEnd = WalSegmentChecker.endOfSegment(this.#name, this.#identity.segmentSize);
    const validUpTo = this.#start + BigInt(this.#validBytes);
    if (validUpTo >= (lsn < segmentEnd ? lsn : segmentEnd)) return;
    throw this.#damaged(
      this.#problem ?? `WAL segment ${this.#name} ends at ${formatLsn(validUpTo)}, before ${formatLsn(lsn)}.`,
    );
  }

  #endPage(): void {
    const page = this.#page.subarray(0, this.#filled);
    if (this.#problem === undefined) this.#takePage(page, this.#validBytes === 0);
    [this.#page, this.#previous, this.#beforePrevious] = [this.#beforePrevious, this.#page, this.#previous];
    this.#filled = 0;
  }

  #takePage(page: Buffer, first: boolean): void {
    const address = this.#start + BigInt(this.#validBytes);
    if (!first && page.equals(ZERO_PAGE.subarray(0, page.length))) {
      const before = this.#validBytes === WAL_PAGE_SIZE ? undefined : this.#beforePrevious;
      this.#switched ||= endsWithSwitchRecord(this.#previous, before);
      if (this.#switched) this.#validBytes += page.length;
      else this.#problem = `WAL segment ${this.#name} has no WAL at ${formatLsn(address)}: there are only zeros.`;
      return;
    }
    // A piece of a header at the end of a file that is still growing says nothing yet.
    if (page.length < (first ? LONG_HEADER : SHORT_HEADER)) return;
    const problem = this.#switched
      ? 'comes after the WAL was switched'
      : pageHeaderProblem(page, {
          identity: this.#identity,
          address,
          first,
          minimumTimeline: this.#timeline,
          maximumTimeline: this.#fileTimeline,
        });
    if (problem === undefined) {
      this.#timeline = pageTimeline(page);
      this.#validBytes += page.length;
    } else {
      this.#problem = `The page at ${formatLsn(address)} of WAL segment ${this.#name} ${problem}.`;
    }
  }

  #damaged(message: string): PointbackError {
    return new PointbackError('wal.damaged', { message, details: { segment: this.#name } });
  }
}

function startOfSegment(name: string, segmentSize: number): Lsn {
  if (!isWalSegmentSize(segmentSize)) throw new RangeError(`not a WAL segment size: ${segmentSize}`);
  const number = walSegmentNumberOfFile(name, segmentSize);
  if (number === undefined) throw noSegmentName(name);
  return walSegmentStart(number, segmentSize);
}

function noSegmentName(name: string): PointbackError {
  return new PointbackError('wal.damaged', {
    message: `"${name}" is not the name of a WAL segment of this cluster.`,
    details: { segment: name },
  });
}
