import type { ConnectionProfile } from '../../postgres/connectionProfile.ts';
import { openSqlConnection } from '../../postgres/connect.ts';
import type { SqlConnection } from '../../postgres/sqlConnection.ts';
import type { ConfigurationFileRecord } from '../../repository/backupRecord.ts';
import type { OperationContext } from '../context.ts';

/** A configuration file outside the data directory, with its content where SQL may read it. */
export interface OutsideConfigurationFile extends ConfigurationFileRecord {
  readonly content?: Buffer;
}

/** What only SQL can tell about the server; nice to have in a backup, not needed for it. */
export interface SqlFacts {
  readonly loginRole: string;
  readonly configurationFiles: readonly OutsideConfigurationFile[];
}

const bootstrapSuperuserOid = 10;
const fileSettings = [
  ['config_file', 'postgresql.conf'],
  ['hba_file', 'pg_hba.conf'],
  ['ident_file', 'pg_ident.conf'],
] as const;

/**
 * Asks over SQL what the replication protocol cannot tell: the bootstrap superuser's name, and the configuration files that
 * lie outside the data directory (Debian keeps them in /etc). A role that may not connect or read them still gets its
 * backup; what is missing is logged.
 */
export async function gatherSqlFacts(profile: ConnectionProfile, context: OperationContext): Promise<SqlFacts> {
  const unknown: SqlFacts = { loginRole: profile.user, configurationFiles: [] };
  let connection: SqlConnection;
  try {
    connection = await openSqlConnection(profile, context);
  } catch (error) {
    context.signal.throwIfAborted();
    context.log(
      'info',
      `no SQL connection, so configuration files outside the data directory are not captured: ${String(error)}`,
    );
    return unknown;
  }
  try {
    const [superuser] = await connection.query<{ rolname: string }>(
      'SELECT rolname FROM pg_catalog.pg_roles WHERE oid = $1 AND rolcanlogin',
      [bootstrapSuperuserOid],
    );
    return {
      loginRole: superuser?.rolname ?? profile.user,
      configurationFiles: await outsideConfigurationFiles(connection, context),
    };
  } finally {
    await connection.close();
  }
}

async function outsideConfigurationFiles(
  connection: SqlConnection,
  context: OperationContext,
): Promise<OutsideConfigurationFile[]> {
  // Rows the role may not see are simply absent from pg_settings.
  const rows = await connection.query<{ name: string; setting: string }>(
    `SELECT name, setting FROM pg_catalog.pg_settings
      WHERE name IN ('data_directory', 'config_file', 'hba_file', 'ident_file')`,
  );
  const settings = new Map(rows.map(({ name, setting }) => [name, setting]));
  const dataDirectory = settings.get('data_directory');
  if (dataDirectory === undefined) {
    context.log(
      'info',
      'the role may not see data_directory (pg_read_all_settings), so configuration files are not captured',
    );
    return [];
  }
  const files: OutsideConfigurationFile[] = [];
  for (const [setting, name] of fileSettings) {
    const serverPath = settings.get(setting);
    if (serverPath === undefined || serverPath.startsWith(`${dataDirectory}/`)) continue;
    const content = await readServerFile(connection, serverPath);
    if (content === undefined)
      context.log('warning', `${serverPath} lies outside the data directory and may not be read`);
    files.push({ name, serverPath, captured: content !== undefined, ...(content === undefined ? {} : { content }) });
  }
  return files;
}

/** Undefined when the role may not read it (superusers and members of pg_read_server_files may). */
async function readServerFile(connection: SqlConnection, path: string): Promise<Buffer | undefined> {
  try {
    const [row] = await connection.query<{ content: Buffer }>('SELECT pg_catalog.pg_read_binary_file($1) AS content', [
      path,
    ]);
    return row?.content;
  } catch {
    return undefined;
  }
}
