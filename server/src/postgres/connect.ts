import type { ConnectionProfile } from './connectionProfile.ts';
import { openClient, type ConnectOptions } from './attempt.ts';
import { ReplicationConnection } from './replicationConnection.ts';
import { SqlConnection } from './sqlConnection.ts';

/**
 * Opens an ordinary connection, for SQL.
 *
 * Throws the connection errors of the error table (`connection.*`, `authentication.*`, `tls.*`, `server.*`,
 * `pooler.in-between`), and the signal's reason. When the signal fires later, the connection ends.
 */
export async function openSqlConnection(
  profile: ConnectionProfile,
  options: ConnectOptions & { readonly database?: string },
): Promise<SqlConnection> {
  const database = options.database ?? profile.database;
  return new SqlConnection(await openClient(profile, { kind: 'sql', database }, options), options.signal);
}

const firstWithIdleSessionTimeout = 140000;

/**
 * Opens a physical replication connection (a walsender) that no idle_session_timeout of the server ends. The setting can
 * only be given at the start of the session, and older servers do not know it, so that a server which has it set is
 * connected to twice.
 *
 * Throws as `openSqlConnection`, and `replication.*`.
 */
export async function openReplicationConnection(
  profile: ConnectionProfile,
  options: ConnectOptions,
): Promise<ReplicationConnection> {
  const request = { kind: 'replication', database: 'replication' } as const;
  const connection = await ReplicationConnection.start(await openClient(profile, request, options), options.signal);
  try {
    const unlimited =
      connection.serverVersionNumber < firstWithIdleSessionTimeout ||
      (await connection.show('idle_session_timeout')) === '0';
    if (unlimited) return connection;
  } catch (error) {
    connection.destroy();
    throw error;
  }
  await connection.close();
  return ReplicationConnection.start(
    await openClient(profile, { ...request, options: '-c idle_session_timeout=0' }, options),
    options.signal,
  );
}
