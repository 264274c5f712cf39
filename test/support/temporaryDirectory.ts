import { rmSync } from 'node:fs';
import { chmod, chown, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { endWithProcess } from './endWithProcess.ts';
import { signalIfAlive } from './processes.ts';
import { runRoot } from './testRoot.ts';
import { unprivilegedUser } from './unprivileged.ts';

/** A directory that is gone when its scope ends: `await using directory = await temporaryDirectory();` */
export interface TemporaryDirectory extends AsyncDisposable {
  readonly path: string;
}

export interface TemporaryDirectoryOptions {
  /** Whether it belongs to the account of PostgreSQL's processes, so that a server can write into it. */
  readonly forServer?: boolean;
}

/** Waits out what a dying server still creates. */
const removal = { recursive: true, force: true, maxRetries: 5, retryDelay: 50 } as const;

const keepsDirectories = (): boolean => process.env['POINTBACK_TEST_KEEP'] !== undefined;

/**
 * Makes an empty directory that the account of PostgreSQL's processes can enter (every folder above it included). It is
 * removed with its scope, unless POINTBACK_TEST_KEEP is set.
 *
 * @param name begins the directory's name, for whoever looks at what a test left.
 */
export async function temporaryDirectory(
  name = 'test',
  options: TemporaryDirectoryOptions = {},
): Promise<TemporaryDirectory> {
  const path = await mkdtemp(join(await runRoot(), `${name}.${process.pid}.`));
  await chmod(path, 0o755);
  const user = unprivilegedUser();
  if (options.forServer === true && user !== undefined) await chown(path, user.uid, user.gid);
  const withdraw = endWithProcess(() => {
    if (!keepsDirectories()) rmSync(path, removal);
  });
  return {
    path,
    async [Symbol.asyncDispose]() {
      withdraw();
      if (!keepsDirectories()) await rm(path, removal);
    },
  };
}

/** The directories of test processes that were killed before they could remove them. */
export async function abandonedDirectories(): Promise<string[]> {
  const directory = await runRoot();
  const names = await readdir(directory);
  return names
    .filter((name) => {
      const pid = Number(name.split('.').at(-2));
      return Number.isInteger(pid) && pid > 0 && !signalIfAlive(pid, 0);
    })
    .map((name) => join(directory, name));
}
