import { isIP } from 'node:net';
import type { DatabaseError } from 'pg';
import { PointbackError, type ErrorCode } from '../api/errors.ts';
import { endpointOf, type ConnectionProfile } from './connectionProfile.ts';
import type { ConnectionKind, Observations } from './driver.ts';
import { classifyRefusal, isServerError, serverWords } from './serverError.ts';
import type { Encryption } from './tls.ts';

/** The attempt that failed. */
export interface FailedAttempt {
  readonly profile: ConnectionProfile;
  readonly kind: ConnectionKind;
  readonly database: string;
  readonly encryption: Encryption;
  readonly observations: Observations;
}

/** What every connection error carries in its details, for a diagnosis that combines several. */
export interface ConnectErrorDetails {
  readonly sqlstate: string | null;
  readonly routine: string | null;
  readonly encryption: Encryption;
  readonly asked: Observations['asked'];
  /** Our address as the server wrote it into its message, else as this machine knows it. */
  readonly clientAddress: string | null;
  readonly clientAddressSeenByServer: boolean;
  readonly serverSaid: string | null;
}

/** Turns whatever ended an attempt to connect into the user's words. */
export function connectError(error: unknown, attempt: FailedAttempt): PointbackError {
  if (error instanceof PointbackError) return error;
  const refusal = attempt.observations.tlsAnswerError ?? (isServerError(error) ? error : undefined);
  const code = refusal === undefined ? networkCode(error, attempt) : refusalCode(refusal, attempt);
  const seen = refusal === undefined ? undefined : addressIn(refusal.message, attempt);
  const details: ConnectErrorDetails = {
    sqlstate: refusal?.code ?? null,
    routine: refusal?.routine ?? null,
    encryption: attempt.encryption,
    asked: attempt.observations.asked,
    clientAddress: seen ?? attempt.observations.localAddress ?? null,
    clientAddressSeenByServer: seen !== undefined,
    serverSaid: refusal === undefined ? null : serverWords(refusal),
  };
  const said = refusal === undefined ? '' : ` The server said: ${serverWords(refusal)}`;
  return new PointbackError(code, {
    message: describe(code, attempt) + said,
    cause: error,
    details: { ...details },
  });
}

function refusalCode(error: DatabaseError, { kind }: FailedAttempt): ErrorCode {
  return classifyRefusal({ sqlstate: error.code, routine: error.routine, kind });
}

/** X509 results of OpenSSL as Node names them, and Node's own for a wrong name. */
const certificateProblems =
  /^(?:UNABLE_TO_|CERT_|CRL_|DEPTH_ZERO_SELF_SIGNED_CERT$|SELF_SIGNED_CERT_IN_CHAIN$|INVALID_CA$|INVALID_PURPOSE$|PATH_LENGTH_EXCEEDED$|HOSTNAME_MISMATCH$|ERR_TLS_CERT_ALTNAME_INVALID$)/;
/** Alerts by which a server turns our own certificate down. */
const clientCertificateAlerts = /^ERR_SSL_.*(?:CERTIFICATE|UNKNOWN_CA)/;

/** Node's error codes, not texts, tell these apart. */
function networkCode(error: unknown, { encryption, observations }: FailedAttempt): ErrorCode {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (observations.unreadable === 'authentication' || observations.asked === 'other') {
    return 'authentication.method-unsupported';
  }
  if (encryption === 'tls' && observations.tlsAnswer === 'N') return 'tls.refused-by-server';
  if (encryption === 'tls' && observations.tlsAnswer !== undefined && observations.tlsAnswer !== 'S') {
    return 'connection.not-postgresql';
  }
  if (certificateProblems.test(code)) return 'tls.certificate';
  if (clientCertificateAlerts.test(code)) return 'tls.client-certificate';
  if (code.startsWith('ERR_SSL_') || code === 'EPROTO') return 'tls.handshake';
  if (observations.unreadable === 'garbage') return 'connection.not-postgresql';
  switch (code) {
    case 'ECONNREFUSED':
    case 'ENOENT':
      return 'connection.refused';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EAI_FAIL':
    case 'ENODATA':
      return 'connection.host-unknown';
    case 'ETIMEDOUT':
      return 'connection.timeout';
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EHOSTDOWN':
    case 'EACCES':
    case 'EPERM':
    case 'EADDRNOTAVAIL':
      return 'connection.unreachable';
    default:
      return observations.remoteAddress === undefined && code !== '' ? 'connection.unreachable' : 'connection.closed';
  }
}

function describe(code: ErrorCode, { profile, kind, database, encryption }: FailedAttempt): string {
  const where = endpointOf(profile);
  const how = encryption === 'tls' ? 'with TLS' : 'without TLS';
  const sentences: Partial<Record<ErrorCode, string>> = {
    'connection.refused': `Nothing listens on ${where}: the connection was refused.`,
    'connection.host-unknown': `The host name "${profile.host}" is unknown.`,
    'connection.unreachable': `${where} cannot be reached from this machine.`,
    'connection.timeout': `${where} did not answer in time.`,
    'connection.closed': `${where} took the connection and closed it without a word.`,
    'connection.not-postgresql': `What listens on ${where} does not speak PostgreSQL's protocol.`,
    'connection.database-missing': `There is no database "${database}" on ${where}.`,
    'connection.database-denied': `The role "${profile.user}" may not connect to the database "${database}".`,
    'authentication.password': `The password for role "${profile.user}" is wrong, or has expired, or there is no such role.`,
    'authentication.no-hba-line': `No line of the server's pg_hba.conf admits role "${profile.user}" to database "${database}" from this address ${how}.`,
    'replication.no-hba-line': `No line of the server's pg_hba.conf admits role "${profile.user}" to replication connections from this address ${how}.`,
    'authentication.role': `The role "${profile.user}" does not exist or may not log in.`,
    'authentication.refused': `The server's authentication turned role "${profile.user}" away.`,
    'authentication.method-unsupported': 'The server asks for a kind of authentication that is not supported here.',
    'replication.role-lacks-replication': `The role "${profile.user}" lacks the REPLICATION attribute.`,
    'replication.no-walsender': 'The server has no replication connection (WAL sender) left.',
    'server.too-many-connections': 'The server has no connection left.',
    'server.starting-up': 'The server is starting up or shutting down, and takes no connections.',
    'tls.refused-by-server': `The server on ${where} does not offer TLS, which sslmode=${profile.sslMode} demands.`,
    'tls.certificate': `The certificate of ${where} could not be verified, as sslmode=${profile.sslMode} and the root certificates demand.`,
    'tls.client-certificate': 'The server turned the client certificate down, or demands one.',
    'tls.handshake': `The TLS handshake with ${where} failed.`,
    'pooler.in-between': `What answers on ${where} is not PostgreSQL itself but a pooler or proxy in front of it.`,
  };
  const purpose = kind === 'replication' ? 'replication ' : '';
  return sentences[code] ?? `${where} refused the ${purpose}connection.`;
}

/**
 * The client's address in a refusal for want of a pg_hba.conf line. In every language the numeric address stands in it
 * as it is; nothing is read out of the words around it.
 */
function addressIn(message: string, { profile, database }: FailedAttempt): string | undefined {
  const candidates = message.match(/[0-9a-fA-F:.]{3,}(?:%\w+)?/g) ?? [];
  return candidates
    .map((candidate) => candidate.replace(/[.:]$/, (end) => (candidate.endsWith('::') ? end : '')))
    .find((candidate) => isIP(candidate) !== 0 && candidate !== profile.user && candidate !== database);
}
