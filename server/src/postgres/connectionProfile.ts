import { homedir, userInfo } from 'node:os';
import { posix, win32 } from 'node:path';
import { invalidProfile, parseConnectTimeout, parsePort, parseSslMode, type SslMode } from './connectionFields.ts';
import { connectionPartsOfUrl } from './connectionUrl.ts';
import type { Secret } from './secret.ts';

/** Environment variables, as in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Everything needed to reach one server, defaults filled in. Passwords are looked up at every connection. */
export interface ConnectionProfile {
  /** A name, an address, or the directory of a Unix-domain socket (starts with `/`). */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** The database of SQL connections; physical replication connections have none. */
  readonly database: string;
  readonly sslMode: SslMode;
  /** Unset means libpq's default file where it exists; `system` means the platform's own certificates. */
  readonly sslRootCert?: string;
  readonly sslCert?: string;
  readonly sslKey?: string;
  readonly sslKeyPassword?: Secret;
  readonly password?: Secret;
  /** A file that holds the password and nothing else. */
  readonly passwordFile?: string;
  /** A file in the format of `~/.pgpass`, in its place. */
  readonly passFile?: string;
  readonly applicationName: string;
  /** Milliseconds from the first packet to a session, without the time a person needs to type a password; 0 is no limit. */
  readonly connectTimeoutMs: number;
  /** The instance's name in the configuration, for whoever asks for the password. */
  readonly instance?: string;
}

/** What a user said of a connection; everything else has a default. */
export type ConnectionParts = { readonly [Key in keyof ConnectionProfile]?: ConnectionProfile[Key] | undefined };

const defaultConnectTimeoutMs = 15_000;

/**
 * The profile a `postgresql://` URL describes, completed with libpq's environment variables and defaults; `overrides`
 * win over the URL (PostgreSQL documentation, "Connection URIs").
 *
 * Throws `connection.invalid-profile` for a malformed URL and for what is not supported: host lists, service files.
 */
export function parseConnectionUrl(
  url: string,
  environment: Environment,
  overrides: ConnectionParts = {},
): ConnectionProfile {
  return connectionProfile({ ...connectionPartsOfUrl(url), ...withoutUndefined(overrides) }, environment);
}

/**
 * Completes `parts` with libpq's environment variables and defaults (PostgreSQL documentation, "Environment Variables"),
 * but for three: the host is `localhost`, since the directory of a socket is a matter of libpq's build; the database is
 * `postgres`, since a role for backups rarely has one of its own name; waiting for a server ends after 15 seconds.
 *
 * Throws `connection.invalid-profile`.
 */
export function connectionProfile(parts: ConnectionParts, environment: Environment): ConnectionProfile {
  if (environment['PGSERVICE'] !== undefined && parts.host === undefined) {
    throw invalidProfile('PGSERVICE is set, and service files are not supported.', 'Unset it, and name the host.');
  }
  const { password, passwordFile, sslKeyPassword, instance } = parts;
  const sslRootCert = parts.sslRootCert ?? setIn(environment, 'PGSSLROOTCERT');
  const sslCert = parts.sslCert ?? setIn(environment, 'PGSSLCERT');
  const sslKey = parts.sslKey ?? setIn(environment, 'PGSSLKEY');
  const passFile = parts.passFile ?? setIn(environment, 'PGPASSFILE');
  return {
    host: oneHost(parts.host ?? setIn(environment, 'PGHOST') ?? setIn(environment, 'PGHOSTADDR') ?? 'localhost'),
    port: parts.port ?? parsePort(setIn(environment, 'PGPORT') ?? '5432'),
    user: parts.user ?? setIn(environment, 'PGUSER') ?? userInfo().username,
    database: parts.database ?? setIn(environment, 'PGDATABASE') ?? 'postgres',
    sslMode: sslModeOf(parts.sslMode, sslRootCert, environment),
    applicationName: parts.applicationName ?? setIn(environment, 'PGAPPNAME') ?? 'pointback',
    connectTimeoutMs: parts.connectTimeoutMs ?? timeoutOf(environment),
    ...withoutUndefined({ sslRootCert, sslCert, sslKey, sslKeyPassword, password, passwordFile, passFile, instance }),
  };
}

/** libpq's directory for certificates and keys: `~/.postgresql`, on Windows `%APPDATA%\postgresql`. */
export function userPostgresqlDirectory(environment: Environment): string {
  if (process.platform === 'win32') return win32.join(environment['APPDATA'] ?? homedir(), 'postgresql');
  return posix.join(environment['HOME'] ?? homedir(), '.postgresql');
}

/** How people name the server: `host:port`. */
export function endpointOf({ host, port }: Pick<ConnectionProfile, 'host' | 'port'>): string {
  if (host.startsWith('/')) return posix.join(host, `.s.PGSQL.${port}`);
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function oneHost(host: string): string {
  if (!host.includes(',') || host.startsWith('/')) return host;
  throw invalidProfile(
    'Several hosts are named, and a backup comes from one server.',
    'Name one host: the primary, or the standby the backups are to come from.',
  );
}

/** As in libpq, the platform's many authorities are only worth anything together with the name. */
function sslModeOf(named: SslMode | undefined, sslRootCert: string | undefined, environment: Environment): SslMode {
  const variable = setIn(environment, 'PGSSLMODE');
  const mode = named ?? (variable === undefined ? undefined : parseSslMode(variable));
  if (sslRootCert !== 'system') return mode ?? 'prefer';
  if (mode === undefined || mode === 'verify-full') return 'verify-full';
  throw invalidProfile(
    `sslrootcert=system does not go with sslmode=${mode}: any public certificate would do.`,
    'Use sslmode=verify-full with it.',
  );
}

function timeoutOf(environment: Environment): number {
  const text = setIn(environment, 'PGCONNECT_TIMEOUT');
  return text === undefined ? defaultConnectTimeoutMs : parseConnectTimeout(text);
}

/** An empty variable counts as unset. */
function setIn(environment: Environment, name: string): string | undefined {
  const value = environment[name];
  return value === '' ? undefined : value;
}

function withoutUndefined<T extends object>(values: T): { [Key in keyof T]: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [Key in keyof T]: Exclude<T[Key], undefined>;
  };
}
