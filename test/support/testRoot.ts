import { chmod, lstat, mkdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { unprivilegedUser } from './unprivileged.ts';

/** Whether every folder down to `path` may be entered by an account that is neither its owner nor in its group. */
async function isReachableByOthers(path: string): Promise<boolean> {
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    const mode = (await stat(folder).catch(() => undefined))?.mode ?? 0;
    if ((mode & 0o001) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

async function temporaryRoot(): Promise<string> {
  if (unprivilegedUser() === undefined) return tmpdir();
  for (const candidate of [tmpdir(), '/tmp', '/var/tmp']) {
    if (await isReachableByOthers(candidate)) return candidate;
  }
  throw new Error('Found no temporary directory that the account of PostgreSQL can enter; set TMPDIR to one.');
}

/**
 * The folder below the temporary directory that belongs to the tests of this user: caches of server binaries and of
 * fresh data directories, which later runs find again, and `run/` with what is gone after the test. The account of
 * PostgreSQL's processes can enter it, wherever the checkout lies.
 */
export async function testRoot(): Promise<string> {
  const uid = process.getuid?.();
  const root = join(await temporaryRoot(), `pointback-test${uid === undefined ? '' : `-${uid}`}`);
  await mkdir(root, { recursive: true, mode: 0o755 });
  const found = await lstat(root);
  // The name can be guessed and the temporary directory is everybody's: never run binaries from a folder of others.
  if (!found.isDirectory() || (uid !== undefined && found.uid !== uid)) {
    throw new Error(`${root} is not a directory of this user: remove it, or set TMPDIR to another place.`);
  }
  if (uid !== undefined && (found.mode & 0o777) !== 0o755) await chmod(root, 0o755);
  return root;
}
