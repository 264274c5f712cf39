import type { FilePath } from '../formats/filePath.ts';
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

/** What a line of the index adds: a file, what stands before an archive's frames, or one of these. */
type Entry =
  | { readonly kind: 'file' | 'archive'; readonly json: string; /** For errors: counted from 1. */ readonly number: number }
  | { readonly kind: 'frame'; readonly storedLength: number; readonly tarLength: number };

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
      if (entry?.kind === 'file') yield parsed(key, entry, parseFile);
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
  const archives: (StoredArchive & { readonly frames: FrameTable })[] = [];
  for await (const lines of indexLines(store, key, options)) {
    for (const line of lines) {
      const entry = scan.next(line).value;
      if (entry?.kind === 'archive') archives.push({ ...parsed(key, entry, parseArchive), frames: new FrameTable() });
      if (entry?.kind === 'frame') archives.at(-1)?.frames.append(entry.storedLength, entry.tarLength);
    }
  }
  scan.next(undefined);
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

type Scan = Generator<Entry | undefined, undefined, string | undefined>;

/** A scan that waits for the first line. */
function startScan(key: string): Scan {
  const scan = scanLines(key);
  scan.next();
  return scan;
}

/** How a line that opens an archive ends, after which its frames follow. */
const framesOpening = ',"frames":[';
const frameLine = /^\[(\d{1,16}),(\d{1,16}),(\d{1,16}),(\d{1,16})\],?$/;

/**
 * Takes the lines one by one, undefined after the last, and gives the entries of both lists and the frames.
 * Everything around them must be exactly what BackupIndexWriter writes there, and frames must follow each other.
 */
function* scanLines(key: string): Scan {
  let number = 0;
  const unexpected = (line: string | undefined): Error =>
    damaged(key, line === undefined ? 'it ends too early' : `its line ${number} is not what belongs there`);
  const expect = function* (wanted: string, entry?: Entry): Generator<Entry | undefined, void, string | undefined> {
    const line = yield entry;
    number += 1;
    if (line !== wanted) throw unexpected(line);
  };
  /** The lines of a list up to one of its possible ends, which it resolves to. */
  const list = function* (
    ends: readonly string[],
    item: (line: string, separated: boolean) => Generator<Entry | undefined, boolean, string | undefined>,
  ): Generator<Entry | undefined, string, string | undefined> {
    void ends;
    void item;
    return '';
  };
  void list;
  void expect;
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
