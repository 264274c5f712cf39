import { PointbackError } from '../../api/errors.ts';
import type { ConnectionProfile } from '../../postgres/connectionProfile.ts';
import { openReplicationConnection } from '../../postgres/connect.ts';
import type { ReplicationConnection } from '../../postgres/replicationConnection.ts';
import type { OperationContext } from '../context.ts';

const oldestMajor = 13;
const newestMajor = 18;

/** A server ready to give a base backup, and who it is. */
export interface BackupSource {
  /** Physical replication connection; BASE_BACKUP will spend it. */
  readonly connection: ReplicationConnection;
  /** A second walsender that holds the temporary slot. Idle, since any error on a session drops its temporary slots. */
  readonly slotHolder: ReplicationConnection;
  readonly systemIdentifier: bigint;
  readonly serverVersion: string;
  readonly serverVersionNumber: number;
  readonly major: number;
  readonly walSegmentSize: number;
  readonly dataDirectoryMode: string;
  readonly dataChecksums: boolean;
}

/**
 * Connects to the server over the replication protocol, twice, and makes sure a base backup can start: its WAL is held by
 * a temporary slot until `close`.
 *
 * Throws the connection errors of `openReplicationConnection` and `replication.wal-level`.
 */
export async function openSource(
  profile: ConnectionProfile,
  slotName: string,
  context: OperationContext,
): Promise<BackupSource> {
  context.progress({ phase: 'connecting' });
  const connection = await openReplicationConnection(profile, context);
  let slotHolder: ReplicationConnection | undefined;
  try {
    requireKnownVersion(connection.serverVersionNumber);
    const { systemIdentifier } = await connection.identifySystem();
    if ((await connection.show('wal_level')) === 'minimal') {
      throw new PointbackError('replication.wal-level', {
        message: 'The server runs with wal_level = minimal, which leaves nothing to recover a backup with.',
      });
    }
    const source = {
      systemIdentifier,
      serverVersion: await connection.show('server_version'),
      serverVersionNumber: connection.serverVersionNumber,
      major: Math.floor(connection.serverVersionNumber / 10000),
      walSegmentSize: parseByteSetting(await connection.show('wal_segment_size')),
      dataDirectoryMode: await connection.show('data_directory_mode'),
      dataChecksums: (await connection.show('data_checksums')) === 'on',
    };
    slotHolder = await openReplicationConnection(profile, context);
    await slotHolder.createTemporarySlot(slotName);
    return { connection, slotHolder, ...source };
  } catch (error) {
    connection.destroy();
    slotHolder?.destroy();
    throw error;
  }
}

/** Refuses before the transfer what could not be checked after it: WAL and control file have a layout a major version. */
function requireKnownVersion(serverVersionNumber: number): void {
  const major = Math.floor(serverVersionNumber / 10000);
  if (major >= oldestMajor && major <= newestMajor) return;
  throw new PointbackError('server.version-unsupported', {
    message: `The server is PostgreSQL ${major}; physical backups are taken of ${oldestMajor} to ${newestMajor}.`,
    details: { major },
  });
}

/** Ends both connections; the temporary slot goes with its session. */
export async function closeSource({ connection, slotHolder }: BackupSource): Promise<void> {
  connection.destroy();
  await slotHolder.close();
}

const units: Readonly<Record<string, number>> = { kB: 1024, MB: 1024 ** 2, GB: 1024 ** 3 };

/** Bytes of a setting as SHOW prints it, `16MB` or `1GB`. */
function parseByteSetting(text: string): number {
  const match = /^(\d+)(kB|MB|GB)$/.exec(text);
  const unit = units[match?.[2] ?? ''];
  if (match === null || unit === undefined) {
    throw new PointbackError('protocol.broken', { message: `The server shows a size as "${text}".` });
  }
  return Number(match[1]) * unit;
}
