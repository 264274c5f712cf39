import { isPointbackError } from '../../api/errors.ts';
import type { SqlConnection } from '../../postgres/sqlConnection.ts';

/** What a server tells a role without special rights over SQL, where it tells it. */
export interface ServerFacts {
  readonly versionNumber: number;
  /** As the server writes it. */
  readonly version: string;
  readonly inRecovery: boolean;
  /** `inet_client_addr()`: our address as the server sees it; null on a Unix-domain socket. */
  readonly clientAddress: string | null;
  /** The server's address and port as it sees them itself. */
  readonly serverAddress: string | null;
  readonly serverPort: number | null;
  readonly walLevel: string;
  readonly maxWalSenders: number;
  readonly walSendersInUse: number;
  readonly maxReplicationSlots: number;
  readonly replicationSlots: number;
  /** `md5` or `scram-sha-256`: how a password set now would be stored. */
  readonly passwordEncryption: string;
  readonly dataChecksums: boolean;
  /** Of the last checkpoint's WAL, so that a standby tells its primary's setting; null where it may not be asked. */
  readonly fullPageWrites: boolean | null;
  readonly role: RoleFacts;
  /** Needs pg_read_all_settings. */
  readonly hbaFile: string | null;
  /** Names of roles that only managed services have. */
  readonly managedRoles: readonly string[];
  /** Lines of pg_hba.conf that keep the server from loading it; a superuser's knowledge, else empty. */
  readonly brokenHbaLines: readonly { readonly line: number; readonly error: string | null }[];
}

/** The role the check runs as. */
export interface RoleFacts {
  readonly name: string;
  readonly superuser: boolean;
  readonly replication: boolean;
  readonly validUntil: string | null;
  readonly expired: boolean;
  readonly expiresSoon: boolean;
  /** How its password is stored; a superuser's knowledge. `none` has no password. */
  readonly secret: 'md5' | 'scram-sha-256' | 'none' | 'unknown';
}

/** Roles that exist in managed services only, and the service they tell. */
export const managedServiceRoles: Readonly<Record<string, string>> = {
  rds_superuser: 'Amazon RDS or Aurora',
  cloudsqlsuperuser: 'Google Cloud SQL',
  alloydbsuperuser: 'Google AlloyDB',
  azure_pg_admin: 'Azure Database for PostgreSQL',
  neon_superuser: 'Neon',
  avnadmin: 'Aiven',
  doadmin: 'DigitalOcean Managed Databases',
  tsdbadmin: 'Timescale Cloud',
  mdb_admin: 'Yandex Managed Service for PostgreSQL',
};

interface MainRow {
  readonly version_number: number;
  readonly version: string;
  readonly in_recovery: boolean;
  readonly client_address: string | null;
  readonly server_address: string | null;
  readonly server_port: number | null;
  readonly wal_level: string;
  readonly max_wal_senders: number;
  readonly wal_senders_in_use: number;
  readonly max_replication_slots: number;
  readonly replication_slots: number;
  readonly password_encryption: string;
  readonly data_checksums: string;
  readonly hba_file: string | null;
  readonly role: string;
  readonly superuser: boolean;
  readonly replication: boolean;
  readonly valid_until: string | null;
  readonly expired: boolean;
  readonly expires_soon: boolean;
  readonly managed_roles: readonly string[];
}

/** pg_settings leaves out, without an error, what the role may not see. */
const mainQuery = `
SELECT current_setting('server_version_num')::int AS version_number,
       current_setting('server_version') AS version,
       pg_is_in_recovery() AS in_recovery,
       host(inet_client_addr()) AS client_address,
       host(inet_server_addr()) AS server_address,
       inet_server_port() AS server_port,
       current_setting('wal_level') AS wal_level,
       current_setting('max_wal_senders')::int AS max_wal_senders,
       (SELECT count(*) FROM pg_stat_replication)::int AS wal_senders_in_use,
       current_setting('max_replication_slots')::int AS max_replication_slots,
       (SELECT count(*) FROM pg_replication_slots)::int AS replication_slots,
       current_setting('password_encryption') AS password_encryption,
       current_setting('data_checksums') AS data_checksums,
       (SELECT setting FROM pg_settings WHERE name = 'hba_file') AS hba_file,
       rolname::text AS role,
       rolsuper AS superuser,
       rolreplication AS replication,
       rolvaliduntil::text AS valid_until,
       coalesce(rolvaliduntil < now(), false) AS expired,
       coalesce(rolvaliduntil < now() + interval '14 days', false) AS expires_soon,
       ARRAY(SELECT rolname::text FROM pg_roles WHERE rolname = ANY ($1)) AS managed_roles
  FROM pg_roles
 WHERE rolname = session_user`;

/** Asks the server. Throws what `SqlConnection.query` throws. */
export async function readServerFacts(connection: SqlConnection): Promise<ServerFacts | undefined> {
  const [row] = await connection.query<MainRow>(mainQuery, [Object.keys(managedServiceRoles)]);
  if (row === undefined) return undefined;
  return {
    versionNumber: row.version_number,
    version: row.version,
    inRecovery: row.in_recovery,
    clientAddress: row.client_address,
    serverAddress: row.server_address,
    serverPort: row.server_port,
    walLevel: row.wal_level,
    maxWalSenders: row.max_wal_senders,
    walSendersInUse: row.wal_senders_in_use,
    maxReplicationSlots: row.max_replication_slots,
    replicationSlots: row.replication_slots,
    passwordEncryption: row.password_encryption,
    dataChecksums: row.data_checksums === 'on',
    fullPageWrites: await fullPageWrites(connection),
    hbaFile: row.hba_file,
    managedRoles: row.managed_roles,
    role: {
      name: row.role,
      superuser: row.superuser,
      replication: row.replication || row.superuser,
      validUntil: row.valid_until,
      expired: row.expired,
      expiresSoon: row.expires_soon,
      secret: row.superuser ? await storedSecret(connection) : 'unknown',
    },
    brokenHbaLines: row.superuser ? await brokenHbaLines(connection) : [],
  };
}

async function fullPageWrites(connection: SqlConnection): Promise<boolean | null> {
  const rows = await orNothing(
    connection.query<{ full_page_writes: boolean }>('SELECT full_page_writes FROM pg_control_checkpoint()'),
  );
  return rows[0]?.full_page_writes ?? null;
}

async function storedSecret(connection: SqlConnection): Promise<RoleFacts['secret']> {
  const [row] = await orNothing(
    connection.query<{ kind: string | null }>(
      'SELECT substr(rolpassword, 1, 3) AS kind FROM pg_authid WHERE rolname = session_user',
    ),
  );
  if (row === undefined) return 'unknown';
  if (row.kind === null) return 'none';
  return row.kind === 'md5' ? 'md5' : 'scram-sha-256';
}

/** A line that is refused has no type; one that merely warns has. The view reads the file as it is now on disk. */
async function brokenHbaLines(connection: SqlConnection): Promise<ServerFacts['brokenHbaLines']> {
  return orNothing(
    connection.query<{ line: number; error: string | null }>(
      'SELECT line_number AS line, error FROM pg_hba_file_rules WHERE type IS NULL ORDER BY 1 LIMIT 3',
    ),
  );
}

/** Some of it may be forbidden, in a managed service even to superusers. */
async function orNothing<T>(rows: Promise<T[]>): Promise<T[]> {
  try {
    return await rows;
  } catch (error) {
    if (isPointbackError(error, 'server.command-failed')) return [];
    throw error;
  }
}
