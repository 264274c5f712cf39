import { chmod, lstat, mkdir, stat, statfs } from 'node:fs/promises';
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

/** Memory as a file system, where Linux has it, and what must be free there. */
const memory = { path: '/dev/shm', bytes: 4 * 1024 ** 3 } as const;

/** Where what goes with a test is quickest: memory, unless it is scarce or TMPDIR names a place. */
async function quickestRoot(): Promise<string> {
  if (process.env['TMPDIR'] === undefined) {
    const found = await statfs(memory.path).catch(() => undefined);
    if (found !== undefined && found.bavail * found.bsize >= memory.bytes) return memory.path;
  }
  return temporaryRoot();
}

/** Makes the folder of the tests of this user below `parent`. */
async function ownFolder(parent: string): Promise<string> {
  const uid = process.getuid?.();
  const root = join(parent, `pointback-test${uid === undefined ? '' : `-${uid}`}`);
  await mkdir(root, { recursive: true, mode: 0o755 });
  const found = await lstat(root);
  // The name can be guessed and the parent is everybody's: never run binaries from a folder of others.
  if (!found.isDirectory() || (uid !== undefined && found.uid !== uid)) {
    throw new Error(`${root} is not a directory of this user: remove it, or set TMPDIR to another place.`);
  }
  if (uid !== undefined && (found.mode & 0o777) !== 0o755) await chmod(root, 0o755);
  return root;
}

/**
 * The folder that belongs to the tests of this user and stays: caches of server binaries and of fresh data directories.
 * The account of PostgreSQL's processes can enter it, wherever the checkout lies.
 */
export async function testRoot(): Promise<string> {
  return ownFolder(await temporaryRoot());
}

/**
 * The folder for what is gone after a test. In memory where there is enough: a data directory is a thousand small files,
 * and disks are slow at making and removing so many again and again.
 */
export async function runRoot(): Promise<string> {
  const directory = join(await ownFolder(await quickestRoot()), 'run');
  await mkdir(directory, { recursive: true, mode: 0o755 });
  return directory;
}
