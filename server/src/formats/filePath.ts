/**
 * A path inside a data directory, its bytes one character each (latin1). PostgreSQL's file names are bytes, not text: a
 * name that is no valid UTF-8 survives a round trip through this type, and comparing two of them compares their bytes.
 * Segments are separated by `/` on every platform. Never show one to a user without `displayPath`.
 */
export type FilePath = string & { readonly __filePath: never };

/** The path whose bytes are `bytes`. */
export function filePathFromBytes(bytes: Uint8Array): FilePath {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1') as FilePath;
}

/** The path written as ordinary text; its bytes are the text's UTF-8. */
export function filePathFromText(text: string): FilePath {
  return Buffer.from(text, 'utf8').toString('latin1') as FilePath;
}

/** The path's bytes, as the file system of a POSIX server knows them. */
export function filePathBytes(path: FilePath): Buffer {
  return Buffer.from(path, 'latin1');
}

/** The path's text when its bytes are valid UTF-8, else undefined. */
export function filePathText(path: FilePath): string | undefined {
  // Nearly every path is ASCII, where bytes and text are the same string.
  // eslint-disable-next-line no-control-regex -- the control characters are ASCII too
  if (/^[\x00-\x7f]*$/.test(path)) return path;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(filePathBytes(path));
  } catch {
    return undefined;
  }
}

/**
 * The path for people: its text when it is valid UTF-8, else ASCII with every other byte as `\xNN`. Control characters
 * are always escaped, so that a file name cannot write escape sequences to a terminal.
 */
export function displayPath(path: FilePath): string {
  const text = filePathText(path);
  // eslint-disable-next-line no-control-regex -- finding control characters is the point
  const unprintable = text === undefined ? /[^\x20-\x7e]/g : /[\x00-\x1f\x7f-\x9f]/g;
  return (text ?? path).replace(
    unprintable,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

/**
 * Whether writing to `path` below some directory stays below that directory: not empty, not absolute, no `.`, `..` or
 * empty segment, no NUL. On Windows also no drive, stream or backslash, which mean something there and nothing on the
 * server that named the file.
 */
export function isSafeRelativePath(path: FilePath, platform: NodeJS.Platform = process.platform): boolean {
  if (path.includes('\0')) return false;
  if (platform === 'win32' && /[\\:]/.test(path)) return false;
  return path.split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..');
}
