import { PointbackError } from '../api/errors.ts';
import { filePathFromBytes, type FilePath } from './filePath.ts';

/** A member of a tar archive. */
export interface TarEntry {
  /** Without leading `./` and trailing `/`. Not checked for `..`: see `isSafeRelativePath`. */
  readonly path: FilePath;
  readonly type: 'file' | 'directory' | 'symlink';
  /** Bytes of content, 0 for what is no file. */
  readonly size: number;
  /** Permission bits only. */
  readonly mode: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  /** Where a symlink leads, its bytes one character each as in a FilePath; empty for everything else. */
  readonly linkName: string;
  /** Bytes from the start of the tar stream to the member's content. */
  readonly contentOffset: number;
}

/** Tar counts in blocks of 512 bytes: headers are one, contents are padded to whole ones. */
export const TAR_BLOCK = 512;

const NAME = { at: 0, length: 100 };
const MODE = { at: 100, length: 8 };
const UID = { at: 108, length: 8 };
const GID = { at: 116, length: 8 };
const SIZE = { at: 124, length: 12 };
const MTIME = { at: 136, length: 12 };
const CHECKSUM = { at: 148, length: 8 };
const TYPE = 156;
const LINK_NAME = { at: 157, length: 100 };
const MAGIC = { at: 257, length: 6 };
const VERSION = { at: 263, length: 2 };
const OWNER = { at: 265, length: 32 };
const GROUP = { at: 297, length: 32 };
const DEVICE_MAJOR = { at: 329, length: 8 };
const DEVICE_MINOR = { at: 337, length: 8 };
const PREFIX = { at: 345, length: 155 };

type Field = typeof NAME;

const TYPES = { '0': 'file', '\0': 'file', '2': 'symlink', '5': 'directory' } as const;

/** The bytes of zero that follow a content of `size` bytes up to the next block. */
export function tarPadding(size: number): number {
  // Not `&`: a file may be larger than 31 bits count.
  return (TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK;
}

/** A `tar.damaged` error: what is wrong, and how far into the archive. */
export function tarDamaged(what: string, offset: number): PointbackError {
  return new PointbackError('tar.damaged', {
    message: `The archive is damaged at byte ${offset}: ${what}.`,
    details: { offset },
  });
}

/**
 * Reads the header in the first block of `header`, whose offset in the stream is `offset`. Headers as POSIX ustar and
 * PostgreSQL's `tarCreateHeader` (src/port/tar.c) write them. Throws `tar.damaged`, for kinds of members PostgreSQL
 * never sends too.
 */
export function decodeTarHeader(header: Buffer, offset: number): TarEntry {
  const fail = (what: string): never => {
    throw tarDamaged(what, offset);
  };
  const number = (field: Field, name: string): number =>
    readNumber(header, field) ?? fail(`the ${name} of a member is not a number`);

  if (number(CHECKSUM, 'header checksum') !== headerChecksum(header)) fail('a header has the wrong checksum');
  if (header.toString('latin1', MAGIC.at, MAGIC.at + MAGIC.length) !== 'ustar\0')
    fail('a header is not in ustar format');
  const type = TYPES[String.fromCharCode(header[TYPE] ?? 0) as keyof typeof TYPES] as TarEntry['type'] | undefined;
  if (type === undefined) return fail('a member is neither file, directory nor symbolic link');
  const size = number(SIZE, 'size');
  if (type !== 'file' && size !== 0) fail(`a ${type} has content`);

  const prefix = readText(header, PREFIX);
  const name = readText(header, NAME);
  const path = (prefix === '' ? name : `${prefix}/${name}`).replace(/^(?:\.\/+)+/, '').replace(/\/+$/, '');
  if (path === '') fail('a member has no name');
  return {
    path: path as FilePath,
    type,
    size,
    mode: number(MODE, 'mode') & 0o7777,
    mtime: number(MTIME, 'time'),
    linkName: type === 'symlink' ? readText(header, LINK_NAME) : '',
    contentOffset: offset + TAR_BLOCK,
  };
}

/**
 * A header for `entry`, byte for byte as PostgreSQL's `tarCreateHeader` writes it, owner 0 aside: numbers in octal and a
 * space, directories and symlinks with a slash at the end. A path beyond 100 bytes uses the prefix field.
 * Throws `tar.name-too-long`.
 */
export function encodeTarHeader(entry: Omit<TarEntry, 'contentOffset'>): Buffer {
  const header = Buffer.alloc(TAR_BLOCK);
  const { prefix, name } = splitPath(entry.type === 'file' ? entry.path : `${entry.path}/`);
  header.write(name, NAME.at, NAME.length, 'latin1');
  header.write(prefix, PREFIX.at, PREFIX.length, 'latin1');
  if (entry.linkName.length >= LINK_NAME.length) throw nameTooLong(entry.linkName);
  header.write(entry.linkName, LINK_NAME.at, LINK_NAME.length, 'latin1');
  header.write({ file: '0', directory: '5', symlink: '2' }[entry.type], TYPE, 1, 'latin1');
  writeNumber(header, MODE, entry.mode & 0o7777);
  writeNumber(header, UID, 0);
  writeNumber(header, GID, 0);
  writeNumber(header, SIZE, entry.size);
  writeNumber(header, MTIME, entry.mtime);
  header.write('ustar\0', MAGIC.at, MAGIC.length, 'latin1');
  header.write('00', VERSION.at, VERSION.length, 'latin1');
  header.write('postgres', OWNER.at, OWNER.length, 'latin1');
  header.write('postgres', GROUP.at, GROUP.length, 'latin1');
  writeNumber(header, DEVICE_MAJOR, 0);
  writeNumber(header, DEVICE_MINOR, 0);
  writeNumber(header, CHECKSUM, headerChecksum(header));
  return header;
}

/** The sum of the header's bytes, those of the checksum itself counted as spaces. */
function headerChecksum(header: Buffer): number {
  let sum = 0;
  for (let index = 0; index < TAR_BLOCK; index++) sum += header[index] ?? 0;
  for (let index = CHECKSUM.at; index < CHECKSUM.at + CHECKSUM.length; index++) sum += 0x20 - (header[index] ?? 0);
  return sum;
}

/** Octal digits ended by space or NUL, or big-endian binary behind a byte 0x80; undefined for anything else. */
function readNumber(header: Buffer, field: Field): number | undefined {
  if (header[field.at] === 0x80) {
    let value = 0;
    for (let index = field.at + 1; index < field.at + field.length; index++) value = value * 256 + (header[index] ?? 0);
    return Number.isSafeInteger(value) ? value : undefined;
  }
  const match = /^ *([0-7]*)[ \0]*$/.exec(header.toString('latin1', field.at, field.at + field.length));
  return match === null ? undefined : Number(`0o${match[1] === '' ? '0' : (match[1] ?? '')}`);
}

/** `print_tar_number` of src/port/tar.c. */
function writeNumber(header: Buffer, field: Field, value: number): void {
  const digits = field.length - 1;
  if (value < 8 ** digits) {
    header.write(`${value.toString(8).padStart(digits, '0')} `, field.at, field.length, 'latin1');
    return;
  }
  header[field.at] = 0x80;
  let rest = value;
  for (let index = field.at + digits; index > field.at; index--) {
    header[index] = rest % 256;
    rest = Math.floor(rest / 256);
  }
}

function readText(header: Buffer, field: Field): string {
  const end = header.subarray(field.at, field.at + field.length).indexOf(0);
  return filePathFromBytes(header.subarray(field.at, field.at + (end === -1 ? field.length : end)));
}

/** A path of up to 100 bytes stays whole; a longer one is cut at a slash into prefix and name. */
function splitPath(path: string): { prefix: string; name: string } {
  if (path.length <= NAME.length) return { prefix: '', name: path };
  const slash = path.indexOf('/', path.length - NAME.length - 1);
  if (slash <= 0 || slash > PREFIX.length || slash === path.length - 1) throw nameTooLong(path);
  return { prefix: path.slice(0, slash), name: path.slice(slash + 1) };
}

function nameTooLong(path: string): PointbackError {
  return new PointbackError('tar.name-too-long', {
    message: `A tar archive cannot hold the name of ${path.length} bytes that begins with ${JSON.stringify(path.slice(0, 40))}.`,
  });
}
