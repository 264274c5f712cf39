import { createHash } from 'node:crypto';
import { PointbackError } from '../api/errors.ts';
import {
  parseChecksumLine,
  parseFileLine,
  parseSystemIdentifierLine,
  parseVersionLine,
  parseWalRangeLine,
  type ManifestFile,
  type ManifestWalRange,
} from './manifestLines.ts';

/** What a manifest says beyond its files. */
export interface ManifestSummary {
  /** 1 up to PostgreSQL 16, 2 from 17 on. */
  readonly version: number;
  /** From version 2 on. */
  readonly systemIdentifier?: bigint;
  /** As in the file: newest timeline first. */
  readonly walRanges: readonly ManifestWalRange[];
}

/** Longer than any line a server writes: a path is shorter than 1 KiB, 6 characters a byte when escaped. */
const MAXIMUM_LINE = 65_536;
const LINE_FEED = 0x0a;

/**
 * Reads a `backup_manifest` in constant memory, in the one layout all servers (13 to 18) and pg_combinebackup write
 * (src/backend/backup/backup_manifest.c): one line a file, fixed key order. The manifest's own checksum is verified, so
 * any change of any byte is found, but only at the end: files handed out before belong to a whole manifest only once
 * `files` has finished without an error. That no path comes twice is not checked.
 */
export class ManifestReader {
  readonly #source: AsyncIterable<Uint8Array>;
  #started = false;
  #summary: ManifestSummary | undefined;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source;
  }

  /** What the manifest says beyond its files. Only once `files` is exhausted. */
  get summary(): ManifestSummary {
    if (this.#summary === undefined) throw new Error('the manifest has not been read to its end');
    return this.#summary;
  }

  /**
   * The files, in the manifest's order. Throws `manifest.damaged` and `manifest.newer-version`, and passes on what the
   * source throws. To be called once.
   */
  async *files(): AsyncGenerator<ManifestFile, void, undefined> {
    if (this.#started) throw new Error('a manifest can be read only once');
    this.#started = true;
    const parser = new ManifestParser();
    for await (const chunk of this.#source) yield* parser.push(chunk);
    this.#summary = parser.end();
  }
}

/** What the next line must be. */
type Expected = 'version' | 'system identifier' | 'files' | 'file' | 'wal ranges' | 'wal range' | 'checksum' | 'end';

/** The synchronous core of ManifestReader: lines out of chunks, and the order they must come in. */
class ManifestParser {
  readonly #hash = createHash('sha256');
  #expected: Expected = 'version';
  /** Whether the line before said by its comma that the list goes on; before the first entry both is possible. */
  #more: boolean | undefined;
  /** The beginning of a line whose end is still to come. */
  #rest: Buffer = Buffer.alloc(0);
  #line = 0;
  #version = 0;
  #systemIdentifier: bigint | undefined;
  readonly #walRanges: ManifestWalRange[] = [];

  *push(chunk: Uint8Array): Generator<ManifestFile, void, undefined> {
    const view = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const bytes = this.#rest.length === 0 ? view : Buffer.concat([this.#rest, view]);
    let at = 0;
    // What the rest holds has no line feed in it.
    for (let end = bytes.indexOf(LINE_FEED, this.#rest.length); end !== -1; end = bytes.indexOf(LINE_FEED, at)) {
      const file = this.#takeLine(bytes.subarray(at, end + 1));
      at = end + 1;
      if (file !== undefined) yield file;
    }
    if (bytes.length - at > MAXIMUM_LINE) throw this.#damaged('it has a line longer than any server writes');
    this.#rest = Buffer.from(bytes.subarray(at));
  }

  end(): ManifestSummary {
    if (this.#expected !== 'end') throw this.#damaged('it ends early');
    if (this.#rest.length !== 0) throw this.#damaged('something follows its end');
    return {
      version: this.#version,
      walRanges: this.#walRanges,
      ...(this.#systemIdentifier === undefined ? {} : { systemIdentifier: this.#systemIdentifier }),
    };
  }

  /** Takes a line, its line feed included. */
  #takeLine(bytes: Buffer): ManifestFile | undefined {
    this.#line++;
    const line = bytes.toString('latin1', 0, bytes.length - 1);
    if (this.#expected === 'checksum') {
      // The one line the checksum does not cover is the one that holds it.
      if (parseChecksumLine(line) !== this.#hash.digest('hex')) {
        throw this.#damaged('its own checksum does not fit its content');
      }
      this.#expected = 'end';
      return undefined;
    }
    if (this.#expected === 'end') throw this.#damaged('something follows its end');
    this.#hash.update(bytes);
    if (this.#expected === 'file') return this.#takeFile(line);
    this.#takeOther(line);
    return undefined;
  }

  #takeFile(line: string): ManifestFile | undefined {
    if (this.#endsList(line, 'wal ranges')) return undefined;
    const parsed = parseFileLine(line) ?? this.#unreadable();
    this.#more = parsed.more;
    return parsed.value;
  }

  #takeOther(line: string): void {
    switch (this.#expected) {
      case 'version':
        this.#version = parseVersionLine(line) ?? this.#unreadable();
        if (this.#version > 2) throw newerVersion(this.#version);
        this.#expected = this.#version === 1 ? 'files' : 'system identifier';
        return;
      case 'system identifier':
        this.#systemIdentifier = parseSystemIdentifierLine(line) ?? this.#unreadable();
        this.#expected = 'files';
        return;
      case 'files':
        this.#beginList(line, '"Files": [', 'file');
        return;
      case 'wal ranges':
        this.#beginList(line, '"WAL-Ranges": [', 'wal range');
        return;
      case 'wal range': {
        if (this.#endsList(line, 'checksum')) return;
        const parsed = parseWalRangeLine(line) ?? this.#unreadable();
        this.#more = parsed.more;
        this.#walRanges.push(parsed.value);
        return;
      }
      case 'file':
      case 'checksum':
      case 'end':
        throw new Error('taken care of by the caller');
    }
  }

  #beginList(line: string, opening: string, entries: Expected): void {
    if (line !== opening) this.#unreadable();
    this.#expected = entries;
    this.#more = undefined;
  }

  /** Whether `line` closes the present list; checks that closing bracket and the comma before it agree. */
  #endsList(line: string, next: Expected): boolean {
    if (line !== '],') {
      if (this.#more === false) this.#unreadable();
      return false;
    }
    if (this.#more === true) this.#unreadable();
    this.#expected = next;
    return true;
  }

  #unreadable(): never {
    throw this.#damaged('a line is not what PostgreSQL writes there');
  }

  #damaged(what: string): PointbackError {
    return new PointbackError('manifest.damaged', {
      message: `The backup's manifest is damaged at line ${this.#line}: ${what}.`,
      details: { line: this.#line },
    });
  }
}

function newerVersion(version: number): PointbackError {
  return new PointbackError('manifest.newer-version', {
    message: `The backup's manifest is of version ${version}; this Pointback reads versions 1 and 2.`,
    details: { version },
  });
}
