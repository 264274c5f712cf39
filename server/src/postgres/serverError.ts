import { DatabaseError } from 'pg';
import { PointbackError, type ErrorCode } from '../api/errors.ts';
import type { ConnectionKind } from './driver.ts';

/** What a server or pooler refused a connection with, and under which circumstances. */
export interface Refusal {
  /** The SQLSTATE. */
  readonly sqlstate: string | undefined;
  /** The function of the server's source that raised it; a pooler has none. */
  readonly routine: string | undefined;
  readonly kind: ConnectionKind;
}

/**
 * Which situation a refused connection is, by SQLSTATE and routine, never by text, since servers speak many languages.
 * Sources: auth.c (ClientAuthentication, auth_failed), miscinit.c (InitializeSessionUserId), postinit.c (InitPostgres,
 * CheckMyDatabase), proc.c (InitProcess), postmaster.c and backend_startup.c (ProcessStartupPacket).
 */
export function classifyRefusal({ sqlstate, routine, kind }: Refusal): ErrorCode {
  switch (sqlstate ?? 'none') {
    case '28P01':
      return 'authentication.password';
    case '28000':
      if (routine === undefined) return 'pooler.in-between';
      if (routine === 'InitializeSessionUserId') return 'authentication.role';
      // Everything else of this class is raised where a line of pg_hba.conf had matched: peer, cert, LDAP, Kerberos.
      if (routine !== 'ClientAuthentication') return 'authentication.refused';
      return kind === 'replication' ? 'replication.no-hba-line' : 'authentication.no-hba-line';
    case '42501':
      return kind === 'replication' ? 'replication.role-lacks-replication' : 'connection.database-denied';
    case '3D000':
      // A physical replication connection has no database: a pooler took the name for one.
      return kind === 'replication' ? 'pooler.in-between' : 'connection.database-missing';
    case '53300':
      return kind === 'replication' && routine === 'InitProcess'
        ? 'replication.no-walsender'
        : 'server.too-many-connections';
    case '57P03':
      return 'server.starting-up';
    case '57P01':
    case '57P02':
      return 'server.starting-up';
    case '55000':
      return kind === 'sql' ? 'connection.database-denied' : 'server.refused';
    default:
      // Every error of PostgreSQL itself names its routine; PgBouncer, proxies and clouds' front doors do not.
      return routine === undefined ? 'pooler.in-between' : 'server.refused';
  }
}

/** Whether an error is one the server (or a pooler) sent, with a SQLSTATE. */
export function isServerError(error: unknown): error is DatabaseError & { readonly code: string } {
  return error instanceof DatabaseError && error.code !== undefined;
}

/** The SQLSTATE an error carries, directly or in the details of ours. */
export function sqlstateOf(error: unknown): string | undefined {
  if (isServerError(error)) return error.code;
  const fromDetails = error instanceof PointbackError ? error.details?.['sqlstate'] : undefined;
  return typeof fromDetails === 'string' ? fromDetails : undefined;
}

/**
 * An error of a command on a connection that was up: `server.command-failed` with the server's own words, or
 * `connection.lost` when the connection went away. Anything that is ours already stays as it is.
 */
export function commandError(error: unknown, command: string): PointbackError {
  if (error instanceof PointbackError) return error;
  if (!isServerError(error) || error.code === '57P01' || error.code === '57P02') {
    return new PointbackError('connection.lost', {
      message: `The connection to the server ended during "${command}".`,
      cause: error,
      details: { sqlstate: sqlstateOf(error) ?? null },
    });
  }
  return new PointbackError('server.command-failed', {
    message: `The server refused "${command}". It said: ${serverWords(error)}`,
    cause: error,
    details: { sqlstate: error.code, routine: error.routine ?? null },
  });
}

/** The server's message, in its language, with the detail. */
export function serverWords(error: DatabaseError): string {
  return error.detail === undefined ? error.message : `${error.message} (${error.detail})`;
}
