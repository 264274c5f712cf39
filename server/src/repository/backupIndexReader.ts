import { filePathFromBytes, filePathFromText, isSafeRelativePath } from '../formats/filePath.ts';
import type { IndexArchive, IndexFile } from './backupIndex.ts';
import { FieldMismatch, integer, object, optional, text } from './fields.ts';
import { FrameTable, longestFrame } from './frameTable.ts';
import { LineError, readLines } from './lines.ts';
import { damaged, newerFormat } from './records.ts';
import type { ObjectStore, StoreCallOptions } from './store/objectStore.ts';

/** An entry of `files` as it stands in the file. */
interface StoredFile extends Omit<IndexFile, 'path'> {
  readonly path?: string;
  /** The path's bytes in hex, when they are no valid UTF-8. */
  readonly encodedPath?: string;
}

const storedFile = object<StoredFile>({
  path: optional(text(/./s)),
  encodedPath: optional(text(/^(?:[0-9a-f]{2})+$/, 'bytes in hex')),
  archive: integer(),
  offset: integer(),
  size: integer(),
  checksum: text(/^[0-9a-f]*$/, 'a checksum in hex'),
});

/** What stands before an archive's frames. */
type StoredArchive = Omit<IndexArchive, 'frames'>;

const storedArchive = object<StoredArchive>({
  name: text(/^[A-Za-z0-9_+-][A-Za-z0-9._%+-]*$/, 'a file name'),
  tarBytes: integer(),
  storedBytes: integer(),
});

/** A file, or what stands before an archive's frames. */
interface JsonEntry {
  readonly kind: 'file' | 'archive';
  readonly json: string;
  /** Of the line, counted from 1; for errors. */
  readonly number: number;
}

/** What a line of the index adds. */
type Entry = JsonEntry | { readonly kind: 'frame'; readonly storedLength: number; readonly tarLength: number };

/**
 * The files of a backup's index, in the order they came, in constant memory. Throws `repository.damaged` for anything but
 * a complete index, at the latest after the last file; `repository.newer-format`; the store's errors.
 */
export async function* readIndexFiles(
  store: ObjectStore,
  key: string,
  options: StoreCallOptions = {},
): AsyncGenerator<IndexFile, void, undefined> {
  const scan = new IndexScan(key);
  for await (const lines of indexLines(store, key, options)) {
    for (const line of lines) {
      const entry = scan.next(line);
      if (entry?.kind === 'file') yield parsed(key, entry, parseFile);
    }
  }
  scan.end();
}

/** The archives of a backup's index with their frames, which cover each archive without gap. Errors as `readIndexFiles`. */
export async function readIndexArchives(
  store: ObjectStore,
  key: string,
  options: StoreCallOptions = {},
): Promise<IndexArchive[]> {
  const scan = new IndexScan(key);
  const archives: (StoredArchive & { readonly frames: FrameTable })[] = [];
  for await (const lines of indexLines(store, key, options)) {
    for (const line of lines) {
      const entry = scan.next(line);
      if (entry?.kind === 'archive') archives.push({ ...parsed(key, entry, parseArchive), frames: new FrameTable() });
      if (entry?.kind === 'frame') archives.at(-1)?.frames.append(entry.storedLength, entry.tarLength);
    }
  }
  scan.end();
  for (const { name, tarBytes, storedBytes, frames } of archives) {
    if (frames.tarBytes !== tarBytes || frames.storedBytes !== storedBytes) {
      throw damaged(key, `the frames it has of ${name} are not the whole archive`);
    }
  }
  return archives;
}

/** The lines of the index, several at a time. */
async function* indexLines(store: ObjectStore, key: string, options: StoreCallOptions): AsyncGenerator<string[]> {
  try {
    yield* readLines(store.get(key, undefined, options));
  } catch (error) {
    throw error instanceof LineError ? damaged(key, error.message, error) : error;
  }
}

/** How the line ends that opens an archive, whose frames follow. */
const framesOpening = ',"frames":[';
const frameLine = /^\[(\d{1,16}),(\d{1,16}),(\d{1,16}),(\d{1,16})\],?$/;

type Place = 'beginning' | 'before files' | 'files' | 'before archives' | 'archives' | 'frames' | 'behind';

/**
 * Takes the lines one by one and tells what they add. Everything around the entries must be exactly what BackupIndexWriter
 * writes there, and the frames of an archive must follow each other.
 */
class IndexScan {
  readonly #key: string;
  #number = 0;
  #place: Place = 'beginning';
  /** Whether the list at hand may go on: entries are separated by commas, so of those up to its end the last has none. */
  #open = true;
  #empty = true;
  #storedEnd = 0;
  #tarEnd = 0;

  constructor(key: string) {
    this.#key = key;
  }

  next(line: string): Entry | undefined {
    this.#number += 1;
    switch (this.#place) {
      case 'beginning':
        this.#requireFormat(line);
        this.#place = 'before files';
        return undefined;
      case 'before files':
        this.#begin('files', line === '"files":[');
        return undefined;
      case 'files':
        if (line !== '],') return { kind: 'file', json: this.#item(line), number: this.#number };
        this.#endList('before archives');
        return undefined;
      case 'before archives':
        this.#begin('archives', line === '"archives":[');
        return undefined;
      case 'archives':
        if (line !== ']}') return this.#archive(line);
        this.#endList('behind');
        return undefined;
      case 'frames':
        if (line !== ']}' && line !== ']},') return this.#frame(line);
        this.#endList('archives');
        // An archive's line ends here: what follows is up to its comma.
        this.#empty = false;
        this.#open = line === ']},';
        return undefined;
      case 'behind':
        throw this.#unexpected();
    }
  }

  /** Call after the last line. */
  end(): void {
    if (this.#place !== 'behind') throw damaged(this.#key, 'it ends too early');
  }

  #requireFormat(line: string): void {
    const format = Number(/^\{"format":([0-9]{1,9}),$/.exec(line)?.[1]);
    if (format > 1) throw newerFormat(this.#key, format);
    if (format !== 1) throw this.#unexpected();
  }

  #begin(list: 'files' | 'archives' | 'frames', fits: boolean): void {
    if (!fits) throw this.#unexpected();
    this.#place = list;
    this.#open = true;
    this.#empty = true;
  }

  #endList(place: Place): void {
    if (this.#open && !this.#empty) throw this.#unexpected();
    this.#place = place;
  }

  /** A line of a list without its comma. */
  #item(line: string): string {
    if (!this.#open) throw this.#unexpected();
    this.#empty = false;
    this.#open = line.endsWith(',');
    return this.#open ? line.slice(0, -1) : line;
  }

  #archive(line: string): Entry {
    if (!this.#open || !line.endsWith(framesOpening)) throw this.#unexpected();
    this.#begin('frames', true);
    this.#storedEnd = 0;
    this.#tarEnd = 0;
    return { kind: 'archive', json: `${line.slice(0, -framesOpening.length)}}`, number: this.#number };
  }

  #frame(line: string): Entry {
    const [storedOffset = NaN, storedLength = NaN, tarOffset = NaN, tarLength = NaN] =
      frameLine.exec(line)?.slice(1).map(Number) ?? [];
    this.#item(line);
    if (!(storedLength <= longestFrame && tarLength <= longestFrame)) throw this.#unexpected();
    if (storedOffset !== this.#storedEnd || tarOffset !== this.#tarEnd) {
      throw damaged(this.#key, `its line ${this.#number} is not the next frame`);
    }
    this.#storedEnd += storedLength;
    this.#tarEnd += tarLength;
    return { kind: 'frame', storedLength, tarLength };
  }

  #unexpected(): Error {
    return damaged(this.#key, `its line ${this.#number} is not what belongs there`);
  }
}

function parsed<T>(key: string, { json, number }: JsonEntry, parse: (value: unknown) => T): T {
  try {
    return parse(JSON.parse(json));
  } catch (error) {
    if (error instanceof SyntaxError) throw damaged(key, `its line ${number} is not JSON`, error);
    if (error instanceof FieldMismatch) throw damaged(key, `in its line ${number}, ${error.message}`, error);
    throw error;
  }
}

function parseFile(value: unknown): IndexFile {
  const { path: plain, encodedPath, archive, offset, size, checksum } = storedFile.parse(value, '');
  if ((plain === undefined) === (encodedPath === undefined)) throw new FieldMismatch('path', 'there once');
  const path = plain === undefined ? filePathFromBytes(Buffer.from(encodedPath ?? '', 'hex')) : filePathFromText(plain);
  // The platform's own rules are for whoever writes the file; the index must also be readable where it cannot be restored.
  if (!isSafeRelativePath(path, 'linux')) throw new FieldMismatch('path', 'a path inside a data directory');
  return { path, archive, offset, size, checksum };
}

function parseArchive(value: unknown): StoredArchive {
  return storedArchive.parse(value, '');
}
