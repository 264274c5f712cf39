import type { FilePath } from '../formats/filePath.ts';
import { filePathBytes, filePathText } from '../formats/filePath.ts';
import type { FrameList } from './frameTable.ts';
import { GrowingText } from './growingText.ts';

/** A file's place in a backup. */
export interface IndexFile {
  /** As the manifest names it, `pg_tblspc/<oid>/…` for a tablespace's file. */
  readonly path: FilePath;
  /** Position of its archive in the index's list of archives. */
  readonly archive: number;
  /** Where its content begins in the archive's uncompressed tar stream, bytes. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
  /** In PostgreSQL's hex, by the manifest's algorithm; empty when the manifest has none. */
  readonly checksum: string;
}

/** An archive and the frames it was stored in, which cover it from its first byte to its last. */
export interface IndexArchive {
  /** File name under `data/`. */
  readonly name: string;
  readonly tarBytes: number;
  readonly storedBytes: number;
  readonly frames: FrameList;
}

/** Frames that are written in one piece. */
const framesAtOnce = 4096;

/**
 * Writes a backup's `index.json` while the backup is received: one JSON value, one entry or frame a line, so that other
 * tools read it whole and Pointback reads it line by line. `body` goes to `store.put`, which drains what has come so far;
 * the archives follow the files when `end` is called, and are made into text only as they are drained.
 */
export class BackupIndexWriter {
  readonly #files = new GrowingText();
  readonly #archives: IndexArchive[] = [];
  #fileCount = 0;
  #failure: Error | undefined;

  constructor() {
    this.#files.append('{"format":1,\n"files":[');
  }

  addFile({ path, archive, offset, size, checksum }: IndexFile): void {
    const text = filePathText(path);
    const name =
      text === undefined ? `"encodedPath":"${filePathBytes(path).toString('hex')}"` : `"path":${JSON.stringify(text)}`;
    this.#files.append(
      `${this.#fileCount === 0 ? '\n' : ',\n'}{${name},"archive":${archive},"offset":${offset},"size":${size},"checksum":${JSON.stringify(checksum)}}`,
    );
    this.#fileCount += 1;
  }

  /** Adds an archive, which is kept: its frames must not change any more. */
  addArchive(archive: IndexArchive): void {
    this.#archives.push(archive);
  }

  /** The content. Consume it once. */
  async *body(): AsyncGenerator<Uint8Array, void> {
    yield* this.#files;
    for (const text of this.#archivesText()) {
      if (this.#failure !== undefined) throw this.#failure;
      yield Buffer.from(text, 'utf8');
    }
  }

  /** Completes the index; the body ends after what is left of it. */
  end(): void {
    this.#files.append('\n],\n');
    this.#files.end();
  }

  /** Gives the index up: the body throws `reason`. */
  fail(reason: Error): void {
    this.#failure ??= reason;
    this.#files.fail(reason);
  }

  *#archivesText(): Generator<string, void> {
    yield '"archives":[';
    let separator = '\n';
    for (const { name, tarBytes, storedBytes, frames } of this.#archives) {
      yield `${separator}{"name":${JSON.stringify(name)},"tarBytes":${tarBytes},"storedBytes":${storedBytes},"frames":[`;
      separator = ',\n';
      let lines: string[] = [];
      let ending = '\n';
      for (const frame of frames) {
        lines.push(`${ending}[${frame.join(',')}]`);
        ending = ',\n';
        if (lines.length < framesAtOnce) continue;
        yield lines.join('');
        lines = [];
      }
      yield `${lines.join('')}\n]}`;
    }
    yield '\n]}\n';
  }
}
