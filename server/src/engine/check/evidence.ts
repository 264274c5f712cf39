import { existsSync } from 'node:fs';
import { PointbackError, isPointbackError, type ErrorCode } from '../../api/errors.ts';
import { openReplicationConnection, openSqlConnection } from '../../postgres/connect.ts';
import type { ConnectionProfile } from '../../postgres/connectionProfile.ts';
import type { AuthenticationAsked } from '../../postgres/driver.ts';
import type { ReplicationConnection } from '../../postgres/replicationConnection.ts';
import type { PasswordSource, Secret } from '../../postgres/secret.ts';
import type { OperationContext } from '../context.ts';
import { readServerFacts, type ServerFacts } from './serverFacts.ts';

/** How an attempt to get an SQL connection went. */
export interface SqlEvidence {
  /** Why there is none, or why the one named in the profile could not be had. */
  readonly error?: PointbackError;
  /** Present when some database took us. */
  readonly facts?: ServerFacts;
  readonly database?: string;
  readonly tls?: boolean;
  readonly asked?: AuthenticationAsked;
  /** The server's address as this machine reaches it. */
  readonly connectedTo?: string;
}

/** How the attempt to get two replication connections went. */
export interface ReplicationEvidence {
  /** Why there is no first, or no second. */
  readonly error?: PointbackError;
  /** How many were open at a time: a backup needs two. */
  readonly opened: 0 | 1 | 2;
  readonly versionNumber?: number;
  readonly version?: string;
  readonly standby?: boolean;
}

/** Everything the check saw; the findings are derived from it alone. */
export interface Evidence {
  readonly profile: ConnectionProfile;
  readonly sql: SqlEvidence;
  /** Absent where the SQL connection already failed for a reason that holds for any connection. */
  readonly replication?: ReplicationEvidence;
  /** Whether an encrypted connection gets past pg_hba.conf where the one asked for did not. */
  readonly encryptedIsAdmitted: boolean;
  readonly inContainer: boolean;
}

/** Failures that no other connection to the same server would escape. */
const finalForAll: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'connection.refused',
  'connection.host-unknown',
  'connection.unreachable',
  'connection.timeout',
  'connection.closed',
  'connection.not-postgresql',
  'authentication.password-file',
  'tls.refused-by-server',
  'tls.certificate',
  'tls.client-certificate',
  'tls.handshake',
  'tls.file',
]);

type Access = Pick<OperationContext, 'signal' | 'secrets'>;

/** Connects to the server in the ways a backup does, and looks. Changes nothing. Throws the signal's reason only. */
export async function gatherEvidence(profile: ConnectionProfile, context: OperationContext): Promise<Evidence> {
  const access = { signal: context.signal, secrets: askedOnce(context.secrets) };
  const base = { profile, encryptedIsAdmitted: false, inContainer: runsInContainer() };
  const sql = await trySql(profile, access);
  if (sql.error !== undefined && finalForAll.has(sql.error.code)) return { ...base, sql };
  const replication = await tryReplication(profile, access);
  const refused = replication.error?.code === 'replication.no-hba-line';
  const plain = replication.error?.details?.['encryption'] === 'plain';
  const encryptedIsAdmitted = refused && plain && (await encryptedWorks(profile, access));
  return { ...base, sql, replication, encryptedIsAdmitted };
}

async function trySql(profile: ConnectionProfile, access: Access): Promise<SqlEvidence> {
  const first = await trySqlOn(profile.database, profile, access);
  if (first.error?.code !== 'connection.database-missing' && first.error?.code !== 'connection.database-denied') {
    return first;
  }
  // What is to be asked can be asked in any database.
  for (const database of ['postgres', 'template1'].filter((name) => name !== profile.database)) {
    const other = await trySqlOn(database, profile, access);
    if (other.facts !== undefined) return { ...other, error: first.error };
  }
  return first;
}

async function trySqlOn(database: string, profile: ConnectionProfile, access: Access): Promise<SqlEvidence> {
  try {
    const connection = await openSqlConnection(profile, { ...access, database });
    try {
      const facts = await readServerFacts(connection);
      return {
        ...(facts === undefined ? {} : { facts }),
        database,
        tls: connection.tls,
        asked: connection.authentication,
        ...(connection.remoteAddress === undefined ? {} : { connectedTo: connection.remoteAddress }),
      };
    } finally {
      await connection.close();
    }
  } catch (error) {
    return { error: problemOf(error, access.signal) };
  }
}

async function tryReplication(profile: ConnectionProfile, access: Access): Promise<ReplicationEvidence> {
  let first: ReplicationConnection | undefined;
  try {
    first = await openReplicationConnection(profile, access);
    const known = await identify(first);
    try {
      // Both at once: a backup holds its WAL with a slot on a second connection.
      const second = await openReplicationConnection(profile, access);
      await second.close();
      return { opened: 2, ...known };
    } catch (error) {
      return { opened: 1, error: problemOf(error, access.signal), ...known };
    }
  } catch (error) {
    return { opened: 0, error: notAWalSender(problemOf(error, access.signal)) };
  } finally {
    await first?.close();
  }
}

const firstWithInHotStandby = 140000;

async function identify(
  connection: ReplicationConnection,
): Promise<Pick<ReplicationEvidence, 'versionNumber' | 'version' | 'standby'>> {
  await connection.identifySystem();
  const versionNumber = connection.serverVersionNumber;
  return {
    versionNumber,
    version: await connection.show('server_version'),
    ...(versionNumber < firstWithInHotStandby ? {} : { standby: (await connection.show('in_hot_standby')) === 'on' }),
  };
}

/** A pooler told to ignore the `replication` parameter gives an ordinary session, which knows no IDENTIFY_SYSTEM. */
function notAWalSender(error: PointbackError): PointbackError {
  if (error.code !== 'server.command-failed') return error;
  return new PointbackError('pooler.in-between', {
    message: 'The replication connection turned out to be an ordinary one: a pooler or proxy stands between.',
    cause: error,
  });
}

async function encryptedWorks(profile: ConnectionProfile, access: Access): Promise<boolean> {
  try {
    const connection = await openReplicationConnection({ ...profile, sslMode: 'require' }, access);
    await connection.close();
    return true;
  } catch (error) {
    const { code } = problemOf(error, access.signal);
    // A password or attribute that is missing is found out only after a line of pg_hba.conf has matched.
    return (
      code.startsWith('authentication.password') ||
      code.startsWith('replication.role') ||
      code === 'replication.no-walsender'
    );
  }
}

function problemOf(error: unknown, signal: AbortSignal): PointbackError {
  signal.throwIfAborted();
  if (isPointbackError(error)) return error;
  throw error;
}

/** The user is asked for a password at most once in a check. */
function askedOnce(source: PasswordSource): PasswordSource {
  let answer: Promise<Secret | undefined> | undefined;
  return { password: (request, signal) => (answer ??= source.password(request, signal)) };
}

/** Docker and Podman leave these in every container. */
function runsInContainer(): boolean {
  return existsSync('/.dockerenv') || existsSync('/run/.containerenv');
}
