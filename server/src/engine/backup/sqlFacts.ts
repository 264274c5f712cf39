import { PointbackError } from '../../api/errors.ts';
import type { BaseBackupStart } from '../../postgres/baseBackupStream.ts';
import type { ConnectionProfile } from '../../postgres/connectionProfile.ts';
import { openSqlConnection } from '../../postgres/connect.ts';
import type { SqlConnection } from '../../postgres/sqlConnection.ts';
import type { OperationContext } from '../context.ts';
import { readServerConfiguration, unknownConfiguration, type ServerConfiguration } from './serverConfiguration.ts';

/** A tablespace other than the two built-in ones. */
export interface Tablespace {
  readonly oid: number;
  readonly name: string;
}

/** What only SQL can tell about the server; nice to have in a backup, not needed for it. */
export interface SqlFacts {
  readonly loginRole: string;
  readonly configuration: ServerConfiguration;
  readonly tablespaces: readonly Tablespace[];
}

const bootstrapSuperuserOid = 10;

/**
 * Asks over SQL what the replication protocol cannot tell: the bootstrap superuser's name, the tablespaces, and the
 * configuration files. A role that may not connect or see all that still gets its backup; what is missing is logged.
 * Throws the signal's reason only.
 */
export async function gatherSqlFacts(profile: ConnectionProfile, context: OperationContext): Promise<SqlFacts> {
  const unknown: SqlFacts = { loginRole: profile.user, configuration: unknownConfiguration, tablespaces: [] };
  const facts = await withSql(profile, context, 'what only SQL can tell', async (connection) => {
    const attempt = async <T>(what: string, fallback: T, ask: () => Promise<T>): Promise<T> => {
      try {
        return await ask();
      } catch (error) {
        context.signal.throwIfAborted();
        context.log('warning', `${what} could not be asked for: ${String(error)}`);
        return fallback;
      }
    };
    return {
      loginRole: await attempt('the superuser', unknown.loginRole, async () => {
        const [superuser] = await connection.query<{ rolname: string }>(
          'SELECT rolname FROM pg_catalog.pg_roles WHERE oid = $1 AND rolcanlogin',
          [bootstrapSuperuserOid],
        );
        return superuser?.rolname ?? unknown.loginRole;
      }),
      tablespaces: await attempt('the tablespaces', [], () => askTablespaces(connection)),
      configuration: await attempt('the configuration files', unknown.configuration, () =>
        readServerConfiguration(connection, context.signal),
      ),
    };
  });
  return facts ?? unknown;
}

/**
 * Refuses a backup without all tablespaces: servers up to 15 leave out those that lie in the data directory itself
 * (allow_in_place_tablespaces) and others whose link in pg_tblspc is broken, and say so in a warning at most. Throws
 * `backup.tablespace-not-sent`.
 */
export async function requireTablespaces(
  { tablespaces }: SqlFacts,
  { archives }: BaseBackupStart,
  profile: ConnectionProfile,
  context: OperationContext,
): Promise<void> {
  const sent = new Set(archives.map(({ tablespaceOid }) => tablespaceOid));
  const missing = tablespaces.filter(({ oid }) => !sent.has(oid));
  if (missing.length === 0) return;
  // One may have been dropped while the server made its checkpoint.
  const now = await withSql(profile, context, 'whether tablespaces were dropped', askTablespaces);
  const still = missing.filter(({ oid }) => now === undefined || now.some((tablespace) => tablespace.oid === oid));
  if (still.length === 0) return;
  throw new PointbackError('backup.tablespace-not-sent', {
    message: `The server leaves the tablespace ${still.map(({ name }) => `"${name}"`).join(', ')} out of the backup.`,
    details: { oids: still.map(({ oid }) => oid).join(' ') },
  });
}

async function askTablespaces(connection: SqlConnection): Promise<Tablespace[]> {
  const rows = await connection.query<{ oid: string; name: string }>(
    "SELECT oid::text, spcname AS name FROM pg_catalog.pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global')",
  );
  return rows.map(({ oid, name }) => ({ oid: Number(oid), name }));
}

/** Undefined when there is no connection, or it failed. */
async function withSql<T>(
  profile: ConnectionProfile,
  context: OperationContext,
  what: string,
  use: (connection: SqlConnection) => Promise<T>,
): Promise<T | undefined> {
  let connection: SqlConnection | undefined;
  try {
    connection = await openSqlConnection(profile, context);
    return await use(connection);
  } catch (error) {
    context.signal.throwIfAborted();
    context.log('info', `no SQL connection, so ${what} stays unknown: ${String(error)}`);
    return undefined;
  } finally {
    await connection?.close().catch(() => undefined);
  }
}
