import { join } from 'node:path';

/** What Pointback keeps of its own inside a restored data directory, in one folder so that it is easy to leave out. */
export const copyFolder = 'pointback';

/** There from the first byte of a restore to its last: a directory with it was never completed. */
export const unfinishedMarker = `${copyFolder}/unfinished`;

/** Host-based authentication of the restored copy while it is quarantined. */
export const quarantineHbaFile = `${copyFolder}/pg_hba.conf`;

/** Who may use the private socket, by operating system user. */
export const quarantineIdentFile = `${copyFolder}/pg_ident.conf`;

/** The restored copy's server log. */
export const copyLogFile = `${copyFolder}/server.log`;

/** Which backup the copy came from and which settings quarantine it. */
export const restoreRecordFile = `${copyFolder}/restore.json`;

/** Bytes of a socket's path at most: sun_path of the systems that have the least, without its final zero. */
const longestSocketPath = 103;

/**
 * The directory of the copy's private socket, inside the data directory; undefined where a socket's path would be longer
 * than operating systems take, which would keep the server from starting.
 */
export function socketDirectoryIn(dataDirectory: string, port: number): string | undefined {
  const directory = join(dataDirectory, copyFolder);
  return Buffer.byteLength(join(directory, `.s.PGSQL.${port}`)) > longestSocketPath ? undefined : directory;
}
