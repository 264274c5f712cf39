import { PointbackError } from '../../api/errors.ts';
import type { FilePath } from '../../formats/filePath.ts';
import { formatLsn, type Lsn } from '../../formats/lsn.ts';
import type { TarEntry } from '../../formats/tar.ts';
import { walSegmentsOfRange } from '../../formats/walFileName.ts';
import { WalSegmentChecker } from '../../formats/wal/walSegmentChecker.ts';
import type { ContentSink, FileDigest, MemberObserver } from './fileHasher.ts';

/** What a cluster's WAL must look like. */
export interface WalIdentity {
  readonly major: number;
  readonly systemIdentifier: bigint;
  readonly segmentSize: number;
}

/** A range of WAL on one timeline that a backup needs to become consistent. */
export interface WalRange {
  readonly timeline: number;
  readonly start: Lsn;
  readonly end: Lsn;
}

const walDirectory = 'pg_wal/';
const segmentPath = /^pg_wal\/[0-9A-F]{24}$/;

/** Follows the WAL segments inside a backup: their pages as they pass, and at the end whether the needed range is whole. */
export class WalWatcher implements MemberObserver {
  readonly #identity: WalIdentity;
  /** For each segment, up to where its pages are valid, in order of arrival. */
  readonly #validUpTo = new Map<string, Lsn>();

  constructor(identity: WalIdentity) {
    this.#identity = identity;
  }

  /** Names of the segments seen. */
  get segments(): string[] {
    return [...this.#validUpTo.keys()].sort();
  }

  member(path: FilePath, entry: TarEntry): ContentSink | undefined {
    if (entry.type !== 'file' || !segmentPath.test(path)) return undefined;
    const name = path.slice(walDirectory.length);
    const checker = new WalSegmentChecker(name, this.#identity);
    return {
      content: (piece) => {
        checker.push(piece);
      },
      end: () => {
        this.#validUpTo.set(name, checker.end());
      },
    };
  }

  /** Throws `backup.wal-incomplete` naming the first segment of the ranges that is missing or not valid to where it is needed. */
  requireRanges(ranges: readonly WalRange[]): void {
    for (const range of ranges) {
      const names = walSegmentsOfRange(range.timeline, range.start, range.end, this.#identity.segmentSize);
      for (const name of names) this.#requireSegment(name, range);
    }
  }

  #requireSegment(name: string, { start, end }: WalRange): void {
    const validUpTo = this.#validUpTo.get(name);
    const needed = `The backup needs the WAL from ${formatLsn(start)} to ${formatLsn(end)}`;
    if (validUpTo === undefined) {
      throw new PointbackError('backup.wal-incomplete', {
        message: `${needed}, but its segment ${name} is not there.`,
        details: { segment: name },
      });
    }
    const segmentEnd = WalSegmentChecker.endOfSegment(name, this.#identity.segmentSize);
    const neededUpTo = end < segmentEnd ? end : segmentEnd;
    if (validUpTo < neededUpTo) {
      throw new PointbackError('backup.wal-incomplete', {
        message: `${needed}, but segment ${name} is valid only up to ${formatLsn(validUpTo)}.`,
        details: { segment: name },
      });
    }
  }
}

/** Keeps the content of a few small files as they pass. */
export class SmallFileWatcher implements MemberObserver {
  readonly #wanted: ReadonlySet<string>;
  readonly #contents = new Map<string, Buffer>();

  constructor(paths: readonly string[]) {
    this.#wanted = new Set(paths);
  }

  /** The content of a wanted file, undefined when it has not passed. */
  content(path: string): Buffer | undefined {
    return this.#contents.get(path);
  }

  member(path: FilePath, entry: TarEntry): ContentSink | undefined {
    if (entry.type !== 'file' || !this.#wanted.has(path)) return undefined;
    const pieces: Buffer[] = [];
    return {
      content: (piece) => {
        pieces.push(Buffer.from(piece));
      },
      end: () => {
        this.#contents.set(path, Buffer.concat(pieces));
      },
    };
  }
}

/** Counts files and bytes. */
export class FileCounter implements MemberObserver {
  files = 0;
  bytes = 0;

  file({ size }: FileDigest): void {
    this.files += 1;
    this.bytes += size;
  }
}
