import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cachedDirectory } from './cachedDirectory.ts';
import type { TestBinaries } from './postgresBinaries.ts';
import { giveToServer, spawnIdentity } from './unprivileged.ts';

/** The superuser of every test server. */
export const superuser = { user: 'postgres', password: 'test-superuser-password' } as const;

const run = promisify(execFile);

/** The environment of a server's programs: nothing of the developer's PG* variables and language. */
export function serverEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C' };
}

/**
 * Runs initdb with a new system identifier.
 *
 * @param directory does not exist yet; its parent belongs to the server's account.
 */
export async function initializeDataDirectory(
  binaries: TestBinaries,
  directory: string,
  initdbArguments: readonly string[],
): Promise<void> {
  const passwordFile = `${directory}.password`;
  await writeFile(passwordFile, `${superuser.password}\n`, { mode: 0o644 });
  try {
    await run(
      join(binaries.bin, 'initdb'),
      [
        ...['-D', directory, '-U', superuser.user, `--pwfile=${passwordFile}`, '--auth=scram-sha-256'],
        ...['--no-locale', '--encoding=UTF8', '--no-sync', ...initdbArguments],
      ],
      { ...spawnIdentity(), cwd: '/', env: serverEnvironment() },
    );
  } finally {
    await rm(passwordFile, { force: true });
  }
}

/** Copies a data directory with its owners and modes; blocks are shared where the file system can. */
async function copyTree(from: string, to: string): Promise<void> {
  await run('cp', ['-a', '--reflink=auto', from, to]).catch(() => run('cp', ['-Rp', from, to]));
}

/**
 * Puts a fresh data directory at `directory`, by copying one that initdb made before with the same arguments. All copies
 * share one system identifier; PostgreSQL's processes own it.
 */
export async function copyDataDirectoryTemplate(
  binaries: TestBinaries,
  directory: string,
  initdbArguments: readonly string[],
): Promise<void> {
  const kind = createHash('sha256')
    .update(JSON.stringify([superuser, initdbArguments]))
    .digest('hex')
    .slice(0, 8);
  const name = `data${binaries.major}-${binaries.source}-${binaries.version}-${kind}`;
  const template = await cachedDirectory(name, async (working) => {
    const home = join(working, 'home');
    await mkdir(home);
    await giveToServer(home);
    await initializeDataDirectory(binaries, join(home, 'data'), initdbArguments);
  });
  await copyTree(join(template, 'home', 'data'), directory);
}
