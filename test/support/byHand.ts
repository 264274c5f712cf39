import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { serverEnvironment } from './dataDirectoryTemplate.ts';
import type { TestBinaries } from './postgresBinaries.ts';
import { spawnIdentity, unprivilegedUser } from './unprivileged.ts';

/** Runs a line of shell as a user of a terminal would; rejects with what it printed when it fails. Resolves to its output. */
export async function shell(line: string, environment: Readonly<Record<string, string>> = {}): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)('sh', ['-euc', line], {
    env: { ...process.env, LC_ALL: 'C', ...environment },
    maxBuffer: 16 * 1024 ** 2,
  });
  return stdout + stderr;
}

/** Gives a directory and all in it to the account of PostgreSQL's processes, whatever the names are. */
export async function giveAwkwardFilesToServer(directory: string): Promise<void> {
  const user = unprivilegedUser();
  if (user !== undefined) await shell(`chown -hR ${user.uid}:${user.gid} "$directory"`, { directory });
}

/** Runs pg_ctl on a data directory, with nothing but what the directory itself says, as the account of PostgreSQL's processes. */
export async function pgCtl(binaries: TestBinaries, dataDirectory: string, what: 'start' | 'stop'): Promise<void> {
  await promisify(execFile)(
    join(binaries.bin, 'pg_ctl'),
    [what, '-D', dataDirectory, '-w', ...(what === 'start' ? ['-l', `${dataDirectory}.log`] : ['-m', 'immediate'])],
    { ...spawnIdentity(), cwd: '/', env: serverEnvironment() },
  );
}
