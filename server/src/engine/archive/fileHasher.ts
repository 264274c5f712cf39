import { createChecksum, type ChecksumAlgorithm } from '../../formats/checksum.ts';
import { filePathFromText, type FilePath } from '../../formats/filePath.ts';
import type { TarEntry, TarHandler } from '../../formats/tar.ts';

/** What a file in an archive turned out to be. */
export interface FileDigest {
  /** As the manifest names it, `pg_tblspc/<oid>/…` for a tablespace's file. */
  readonly path: FilePath;
  /** Position of the archive in the stream. */
  readonly archive: number;
  /** Where its content begins in the uncompressed tar stream, bytes. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
  readonly checksum: string;
}

/** Somebody who wants a file's content as it passes. Of a backup being received, pieces are valid during the call only. */
export interface ContentSink {
  content(piece: Buffer): void;
  end(): void;
}

/** Someone who looks at the members of the archives as they pass. */
export interface MemberObserver {
  /** Every member; a sink for its content where it is a file of interest. */
  member?(path: FilePath, entry: TarEntry): ContentSink | undefined;
  /** Every regular file, once complete. */
  file?(digest: FileDigest): void;
}

/** Follows the members of a tar stream and hashes each regular file in the same pass. */
export class FileHasher implements TarHandler {
  readonly #algorithm: ChecksumAlgorithm;
  readonly #observers: readonly MemberObserver[];
  #archive = -1;
  #prefix = '';
  #checksum: ReturnType<typeof createChecksum> | undefined;
  #path: FilePath = filePathFromText('');
  #entry: TarEntry | undefined;
  #sinks: ContentSink[] = [];

  constructor(algorithm: ChecksumAlgorithm, observers: readonly MemberObserver[]) {
    this.#algorithm = algorithm;
    this.#observers = observers;
  }

  /** Call before the first byte of each archive. */
  beginArchive(tablespaceOid: number | undefined): void {
    this.#archive += 1;
    this.#prefix = tablespaceOid === undefined ? '' : `pg_tblspc/${tablespaceOid}/`;
  }

  entry(entry: TarEntry): void {
    this.#entry = entry;
    this.#path = `${this.#prefix}${entry.path}` as FilePath;
    this.#sinks = [];
    for (const observer of this.#observers) {
      const sink = observer.member?.(this.#path, entry);
      if (sink !== undefined) this.#sinks.push(sink);
    }
    this.#checksum = entry.type === 'file' ? createChecksum(this.#algorithm) : undefined;
  }

  content(piece: Buffer): void {
    this.#checksum?.update(piece);
    for (const sink of this.#sinks) sink.content(piece);
  }

  entryEnd(): void {
    for (const sink of this.#sinks) sink.end();
    if (this.#checksum === undefined || this.#entry === undefined) return;
    const digest: FileDigest = {
      path: this.#path,
      archive: this.#archive,
      offset: this.#entry.contentOffset,
      size: this.#entry.size,
      checksum: this.#checksum.digest(),
    };
    for (const observer of this.#observers) observer.file?.(digest);
  }
}
