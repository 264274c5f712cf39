import { readFileSync } from 'node:fs';
import { chown, lchown, opendir } from 'node:fs/promises';
import { join } from 'node:path';

/** The account that PostgreSQL's processes get when the tests run as root, which PostgreSQL refuses. */
export interface UnprivilegedUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** Accounts that every Debian and most other systems have; initdb wants one with an entry in the user database. */
const candidates = ['postgres', 'nobody'];

/** The account for PostgreSQL's processes; undefined when the tests' own account will do (not root, or Windows). */
export function unprivilegedUser(): UnprivilegedUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const accounts = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  for (const name of candidates) {
    const fields = accounts.find((account) => account[0] === name);
    if (fields === undefined) continue;
    return { name, uid: Number(fields[2]), gid: Number(fields[3]) };
  }
  throw new Error(`The tests run as root and found none of these accounts for PostgreSQL: ${candidates.join(', ')}.`);
}

/** The `uid` and `gid` options of `spawn` for a PostgreSQL process; empty when the tests' own account will do. */
export function spawnIdentity(): { uid?: number; gid?: number } {
  const user = unprivilegedUser();
  return user === undefined ? {} : { uid: user.uid, gid: user.gid };
}

/** Gives a directory and everything in it to the account of PostgreSQL's processes. Symbolic links are not followed. */
export async function giveToServer(path: string): Promise<void> {
  const user = unprivilegedUser();
  if (user === undefined) return;
  await chown(path, user.uid, user.gid);
  for await (const entry of await opendir(path, { recursive: true })) {
    await lchown(join(entry.parentPath, entry.name), user.uid, user.gid);
  }
}
