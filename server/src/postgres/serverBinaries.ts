import { execFile } from 'node:child_process';
import { access, constants, realpath } from 'node:fs/promises';
import { posix, win32 } from 'node:path';
import { promisify } from 'node:util';

/** An installation of PostgreSQL's server programs. */
export interface ServerBinaries {
  /** Where `postgres`, `initdb` and `pg_ctl` are. */
  readonly directory: string;
  readonly major: number;
  /** As the program says: 18.4, 19beta1. */
  readonly version: string;
}

/** Where to look. */
export interface BinarySearch {
  /** Directories of the search path, as PATH has them; this process's PATH unless told. */
  readonly searchPath?: string;
  /** Looked into before anything else: directories with the programs, or with a `bin` that has them. */
  readonly extraDirectories?: readonly string[];
  /** Decides the usual places and how programs are named; this machine's unless told. */
  readonly platform?: NodeJS.Platform;
}

/** Majors that `allServerBinaries` looks for in the usual places; the search path may have any other. */
const majorsInUsualPlaces = Array.from({ length: 30 - 13 + 1 }, (_, index) => 13 + index);

/** Where packages of a platform put the server programs of a major version. */
export function usualDirectories(major: number, platform: NodeJS.Platform): string[] {
  if (platform === 'win32') return [`C:\\Program Files\\PostgreSQL\\${major}\\bin`];
  if (platform === 'darwin') {
    return [
      `/opt/homebrew/opt/postgresql@${major}/bin`,
      `/usr/local/opt/postgresql@${major}/bin`,
      `/Applications/Postgres.app/Contents/Versions/${major}/bin`,
      `/Library/PostgreSQL/${major}/bin`,
      `/opt/local/lib/postgresql${major}/bin`,
    ];
  }
  return [
    // Debian and Ubuntu; PGDG's RPMs; Alpine; SUSE; Homebrew on Linux.
    `/usr/lib/postgresql/${major}/bin`,
    `/usr/pgsql-${major}/bin`,
    `/usr/libexec/postgresql${major}`,
    `/usr/lib/postgresql${major}/bin`,
    `/home/linuxbrew/.linuxbrew/opt/postgresql@${major}/bin`,
  ];
}

/** Asks the `postgres` program of a directory for its version; undefined when there is none that can run here. */
export async function inspectServerBinaries(
  directory: string,
  platform: NodeJS.Platform = process.platform,
): Promise<ServerBinaries | undefined> {
  const program = platform === 'win32' ? win32.join(directory, 'postgres.exe') : posix.join(directory, 'postgres');
  try {
    await access(program, constants.X_OK);
    const { stdout } = await promisify(execFile)(program, ['--version'], { timeout: 10_000, windowsHide: true });
    // postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)
    const match = /\(PostgreSQL\) ((\d+)\S*)/.exec(stdout);
    if (match?.[1] === undefined) return undefined;
    return { directory, major: Number(match[2]), version: match[1] };
  } catch {
    return undefined;
  }
}

/** Directories that may have the programs, likeliest first: those the user named, the search path, the usual places. */
function candidates(majors: readonly number[], search: BinarySearch): string[] {
  const { platform = process.platform, searchPath = process.env['PATH'] ?? '', extraDirectories = [] } = search;
  const paths = platform === 'win32' ? win32 : posix;
  return [
    ...extraDirectories.flatMap((directory) => [directory, paths.join(directory, 'bin')]),
    ...searchPath.split(paths.delimiter).filter((directory) => directory !== ''),
    ...majors.flatMap((major) => usualDirectories(major, platform)),
  ];
}

/**
 * Finds server programs of exactly this major version, which is what a data directory of that version needs: in the
 * directories named, on the search path, where this platform's packages put them. What a directory has is told by the
 * program itself, not by its path. Undefined when there are none.
 */
export async function findServerBinaries(
  major: number,
  search: BinarySearch = {},
): Promise<ServerBinaries | undefined> {
  for (const directory of new Set(candidates([major], search))) {
    const found = await inspectServerBinaries(directory, search.platform);
    if (found?.major === major) return found;
  }
  return undefined;
}

/** All server programs that can be found, in the order in which `findServerBinaries` would; each installation once. */
export async function allServerBinaries(search: BinarySearch = {}): Promise<ServerBinaries[]> {
  const found = new Map<string, ServerBinaries>();
  for (const directory of new Set(candidates(majorsInUsualPlaces, search))) {
    const binaries = await inspectServerBinaries(directory, search.platform);
    if (binaries === undefined) continue;
    const place = await realpath(directory);
    if (!found.has(place)) found.set(place, binaries);
  }
  return [...found.values()];
}
