import type { FilePath } from '../formats/filePath.ts';
import {
  filePathBytes,
  filePathFromBytes,
  filePathFromText,
  filePathText,
  isSafeRelativePath,
} from '../formats/filePath.ts';
import { FieldMismatch, integer, listOf, object, optional, text } from './fields.ts';
import { GrowingText } from './growingText.ts';
import { LineError, readLines } from './lines.ts';
import { damaged, newerFormat } from './records.ts';
import type { ObjectStore, StoreCallOptions } from './store/objectStore.ts';

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

/** A frame: offset and length in the stored file, offset and length in the uncompressed tar stream, bytes. */
export type IndexFrame = readonly [storedOffset: number, storedLength: number, tarOffset: number, tarLength: number];

/** An archive and the frames it was stored in, which cover it from its first byte to its last. */
export interface IndexArchive {
  /** File name under `data/`. */
  readonly name: string;
  readonly tarBytes: number;
  readonly storedBytes: number;
  readonly frames: readonly IndexFrame[];
}

/**
 * Writes a backup's `index.json` while the backup is received: one JSON value, one entry a line, so that other tools read
 * it whole and Pointback reads it line by line. `body` goes to `store.put`, which drains what has come so far; the
 * archives follow the files when `end` is called.
 */
export class BackupIndexWriter {
  readonly #text = new GrowingText();
  readonly #archives: string[] = [];
  #files = 0;

  constructor() {
    this.#text.append('{"format":1,\n"files":[');
  }

  addFile({ path, archive, offset, size, checksum }: IndexFile): void {
    const text = filePathText(path);
    const name =
      text === undefined ? `"encodedPath":"${filePathBytes(path).toString('hex')}"` : `"path":${JSON.stringify(text)}`;
    this.#text.append(
      `${this.#files === 0 ? '\n' : ',\n'}{${name},"archive":${archive},"offset":${offset},"size":${size},"checksum":${JSON.stringify(checksum)}}`,
    );
    this.#files += 1;
  }

  addArchive({ name, tarBytes, storedBytes, frames }: IndexArchive): void {
    this.#archives.push(JSON.stringify({ name, tarBytes, storedBytes, frames }));
  }

  /** The content. Consume it once. */
  body(): AsyncIterable<Uint8Array> {
    return this.#text;
  }

  /** Completes the index; the body ends after what is left of it. */
  end(): void {
    this.#text.append(`\n],\n"archives":[`);
    this.#archives.forEach((archive, position) => {
      this.#text.append(`${position === 0 ? '\n' : ',\n'}${archive}`);
    });
    this.#text.append('\n]}\n');
    this.#text.end();
  }

  /** Gives the index up: the body throws `reason`. */
  fail(reason: Error): void {
    this.#text.fail(reason);
  }
}

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

const storedArchive = object<Omit<IndexArchive, 'frames'> & { readonly frames: readonly (readonly number[])[] }>({
  name: text(/^[A-Za-z0-9_+-][A-Za-z0-9._%+-]*$/, 'a file name'),
  tarBytes: integer(),
  storedBytes: integer(),
  frames: listOf(listOf(integer(), 4)),
});

/** A line of the index: an entry of one of its lists. */
interface Entry {
  readonly list: 'files' | 'archives';
  readonly line: string;
  /** For errors: counted from 1. */
  readonly number: number;
}

/**
 * The files of a backup's index, in the order they came, in constant memory. Throws `repository.damaged` for anything but
 * a complete index, at the latest after the last file; `repository.newer-format`; the store's errors.
 */
export async function* readIndexFiles(
  store: ObjectStore,
  key: string,
  options: StoreCallOptions = {},
): AsyncGenerator<IndexFile, void, undefined> {
  const scan = startScan(key);
  for await (const lines of indexLines(store, key, options)) {
    for (const line of lines) {
      const entry = scan.next(line).value;
      if (entry?.list === 'files') yield parsed(key, entry, parseFile);
    }
  }
  scan.next(undefined);
}

/** The archives of a backup's index with their frames, which cover each archive without gap. Errors as `readIndexFiles`. */
export async function readIndexArchives(
  store: ObjectStore,
  key: string,
  options: StoreCallOptions = {},
): Promise<IndexArchive[]> {
  const scan = startScan(key);
  const archives: IndexArchive[] = [];
  for await (const lines of indexLines(store, key, options)) {
    for (const line of lines) {
      const entry = scan.next(line).value;
      if (entry?.list === 'archives') archives.push(parsed(key, entry, parseArchive));
    }
  }
  scan.next(undefined);
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

type Scan = Generator<Entry | undefined, undefined, string | undefined>;

/** A scan that waits for the first line. */
function startScan(key: string): Scan {
  const scan = scanLines(key);
  scan.next();
  return scan;
}

/**
 * Takes the lines one by one, undefined after the last, and gives the entries of both lists.
 * Everything around them must be exactly what BackupIndexWriter writes there.
 */
function* scanLines(key: string): Scan {
  let number = 0;
  const unexpected = (line: string | undefined): Error =>
    damaged(key, line === undefined ? 'it ends too early' : `its line ${number} is not what belongs there`);
  const first = yield;
  number += 1;
  const format = Number(/^\{"format":([0-9]{1,9}),$/.exec(first ?? '')?.[1]);
  if (format > 1) throw newerFormat(key, format);
  if (format !== 1) throw unexpected(first);
  for (const list of ['files', 'archives'] as const) {
    const end = list === 'files' ? '],' : ']}';
    const opening = yield;
    number += 1;
    if (opening !== `"${list}":[`) throw unexpected(opening);
    let entry: Entry | undefined;
    // Entries are separated by commas, so of the lines up to the end the last one has none.
    let separated = true;
    for (let line = yield; line !== end; line = yield entry) {
      number += 1;
      if (line === undefined || !separated) throw unexpected(line);
      separated = line.endsWith(',');
      entry = { list, line: separated ? line.slice(0, -1) : line, number };
    }
    number += 1;
    if (separated && entry !== undefined) throw unexpected(end);
  }
  const rest = yield;
  number += 1;
  if (rest !== undefined) throw unexpected(rest);
  return undefined;
}

function parsed<T>(key: string, { line, number }: Entry, parse: (value: unknown) => T): T {
  try {
    return parse(JSON.parse(line));
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

function parseArchive(value: unknown): IndexArchive {
  const { name, tarBytes, storedBytes, frames: stored } = storedArchive.parse(value, '');
  const frames: IndexFrame[] = [];
  let storedEnd = 0;
  let tarEnd = 0;
  for (const [storedOffset, storedLength, tarOffset, tarLength, ...more] of stored) {
    if (storedLength === undefined || tarLength === undefined || more.length > 0) {
      throw new FieldMismatch('frames', 'a list of four numbers each');
    }
    if (storedOffset !== storedEnd || tarOffset !== tarEnd) throw new FieldMismatch('frames', 'without gaps');
    frames.push([storedOffset, storedLength, tarOffset, tarLength]);
    storedEnd += storedLength;
    tarEnd += tarLength;
  }
  if (storedEnd !== storedBytes || tarEnd !== tarBytes) throw new FieldMismatch('frames', 'the whole archive');
  return { name, tarBytes, storedBytes, frames };
}
