import { readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { posix, win32 } from 'node:path';
import type { Environment } from './connectionProfile.ts';
import { Secret } from './secret.ts';

/** What a line of a passfile is compared with. */
export interface PassFileKey {
  readonly host: string;
  readonly port: number;
  /** `replication` for a physical replication connection, as in libpq. */
  readonly database: string;
  readonly user: string;
}

/** What a passfile had to say. */
export type PassFileAnswer =
  | { readonly kind: 'password'; readonly password: Secret }
  | { readonly kind: 'none' }
  /** The file is there, but libpq would not touch it either. */
  | {
      readonly kind: 'ignored';
      readonly path: string;
      readonly reason: 'not-a-file' | 'readable-by-others' | 'unreadable';
    };

/** The passfile libpq uses when none is named: `~/.pgpass`, on Windows `%APPDATA%\postgresql\pgpass.conf`. */
export function defaultPassFile(environment: Environment): string {
  if (process.platform === 'win32') {
    return win32.join(environment['APPDATA'] ?? homedir(), 'postgresql', 'pgpass.conf');
  }
  return posix.join(environment['HOME'] ?? homedir(), '.pgpass');
}

/**
 * Looks a password up in a passfile (PostgreSQL documentation, "The Password File"). As in libpq a missing file has
 * none, and one that is no plain file or that group or others can use is ignored (no mode bits on Windows).
 */
export async function readPassFile(path: string, key: PassFileKey, signal: AbortSignal): Promise<PassFileAnswer> {
  try {
    const status = await stat(path);
    if (!status.isFile()) return { kind: 'ignored', path, reason: 'not-a-file' };
    if (process.platform !== 'win32' && (status.mode & 0o077) !== 0) {
      return { kind: 'ignored', path, reason: 'readable-by-others' };
    }
    const password = passwordInPassFile(await readFile(path, { encoding: 'utf8', signal }), key);
    return password === undefined ? { kind: 'none' } : { kind: 'password', password: new Secret(password) };
  } catch (error) {
    signal.throwIfAborted();
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return { kind: 'none' };
    return { kind: 'ignored', path, reason: 'unreadable' };
  }
}

/** The password of the first line that matches, if any: `host:port:database:user:password`, `\` escapes, `*` is any. */
export function passwordInPassFile(text: string, key: PassFileKey): string | undefined {
  const wanted = [key.host, String(key.port), key.database, key.user];
  for (const line of text.split('\n')) {
    if (line.startsWith('#')) continue;
    const fields = splitFields(line.replace(/\r+$/, ''));
    const password = fields[4];
    if (password === undefined) continue;
    if (wanted.every((value, index) => fieldMatches(fields[index], value))) return password.text;
  }
  return undefined;
}

interface Field {
  readonly text: string;
  /** Written with a backslash, so that a lone `\*` is a name, not "any". */
  readonly escaped: boolean;
}

function fieldMatches(field: Field | undefined, value: string): boolean {
  if (field === undefined) return false;
  return field.text === value || (field.text === '*' && !field.escaped);
}

/** The line's first five fields; like libpq, whatever follows a colon after the password is no part of it. */
function splitFields(line: string): Field[] {
  const fields: Field[] = [];
  let text = '';
  let escaped = false;
  for (let index = 0; index < line.length; index += 1) {
    const character = line.charAt(index);
    if (character === '\\' && index + 1 < line.length) {
      index += 1;
      text += line.charAt(index);
      escaped = true;
    } else if (character === ':') {
      fields.push({ text, escaped });
      text = '';
      escaped = false;
    } else {
      text += character;
    }
  }
  fields.push({ text, escaped });
  return fields;
}
