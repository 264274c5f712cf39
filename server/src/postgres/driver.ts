import type { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { Client, type Connection, type DatabaseError } from 'pg';
import { parseServerMessage } from './backendMessages.ts';
import { BulkSocket } from './bulkSocket.ts';
import type { ConnectionProfile } from './connectionProfile.ts';

/** Which of the two protocols on the server's port a connection speaks. */
export type ConnectionKind = 'sql' | 'replication';

/** What proof of identity the server asked for. `none`: trust, peer or a certificate; `other`: none that we know. */
export type AuthenticationAsked = 'none' | 'password' | 'md5' | 'scram-sha-256' | 'other';

/** What was seen while a connection was made; it tells situations apart that have one SQLSTATE. */
export interface Observations {
  /** The server's answer to the request for TLS: `S` yes, `N` no, `E` an error. */
  tlsAnswer?: string;
  /** The error that came in place of an answer. */
  tlsAnswerError?: DatabaseError;
  asked: AuthenticationAsked;
  /** The server sent what the driver cannot read: a kind of authentication it does not know, or no PostgreSQL at all. */
  unreadable?: 'authentication' | 'garbage';
  /** Our own address, as this machine knows it. */
  localAddress?: string;
  /** The server's address the name resolved to. */
  remoteAddress?: string;
}

/** What makes a client. */
export interface DriverRequest {
  readonly kind: ConnectionKind;
  readonly database: string;
  /** The password, asked for only if the server wants one. */
  readonly password: () => Promise<string>;
  readonly tls: ConnectionOptions | undefined;
  /** Settings of the session: `-c name=value`. */
  readonly options?: string;
}

/** The parts of the driver's connection that its types leave out. */
interface DriverConnection {
  stream: Socket;
  attachListeners(stream: Socket): void;
  on(event: string, listener: (message: never) => void): void;
  emit(event: string, error: unknown): void;
}

const authenticationMessage = 'R'.charCodeAt(0);

const internalsOf = (client: Client): DriverConnection => client.connection as Connection & DriverConnection;

/** The socket behind a client; another one once TLS is up. */
export function socketOf(client: Client): Socket {
  return internalsOf(client).stream;
}

/**
 * Makes a client of `pg` that takes nothing from the environment: the profile has it already. `observations` fills
 * while it connects.
 */
export function createClient(
  profile: ConnectionProfile,
  request: DriverRequest,
): { client: Client; observations: Observations } {
  const client = new Client({
    host: profile.host,
    port: profile.port,
    user: profile.user,
    database: request.database,
    password: request.password,
    ssl: request.tls ?? false,
    sslnegotiation: 'postgres',
    // Proves to each other that nobody sits between the two ends of the encryption, as libpq does.
    enableChannelBinding: request.tls !== undefined,
    application_name: profile.applicationName,
    // TLS makes buffers of its own.
    ...(request.kind === 'replication' && request.tls === undefined ? { stream: () => new BulkSocket() } : {}),
    keepAlive: true,
    keepAliveInitialDelayMillis: 30_000,
    scramMaxIterations: 5_000_000,
  } as ConstructorParameters<typeof Client>[0]);
  // The driver would fill these from PGREPLICATION, PGOPTIONS and PGCLIENT_ENCODING.
  Object.assign((client as unknown as { connectionParameters: object }).connectionParameters, {
    replication: request.kind === 'replication' ? 'true' : undefined,
    options: request.options,
    client_encoding: undefined,
  });
  // Without a listener a connection lost between two commands would end the process; the next command reports it.
  client.on('error', () => undefined);
  const observations: Observations = { asked: 'none' };
  observe(internalsOf(client), observations, request.tls !== undefined);
  guardParser(internalsOf(client), observations);
  return { client, observations };
}

function observe(connection: DriverConnection, observations: Observations, tls: boolean): void {
  const { stream } = connection;
  stream.once('connect', () => {
    if (stream.localAddress !== undefined) observations.localAddress = stream.localAddress;
    if (stream.remoteAddress !== undefined) observations.remoteAddress = stream.remoteAddress;
  });
  if (tls) {
    stream.prependOnceListener('data', (answer: Buffer) => {
      observations.tlsAnswer = String.fromCharCode(answer[0] ?? 0);
      if (observations.tlsAnswer === 'E' && answer.length > 5) {
        observations.tlsAnswerError = parseServerMessage(answer.subarray(5));
      }
    });
  }
  const asked = (authentication: AuthenticationAsked) => () => {
    observations.asked = authentication;
  };
  connection.on('authenticationCleartextPassword', asked('password'));
  connection.on('authenticationMD5Password', asked('md5'));
  connection.on('authenticationSASL', ({ mechanisms }: { mechanisms: readonly string[] }) => {
    observations.asked = mechanisms.some((name) => name.startsWith('SCRAM-')) ? 'scram-sha-256' : 'other';
  });
}

/**
 * The driver's parser throws out of the socket's event, which would end the process, when the server asks for Kerberos
 * or sends garbage. Here that becomes an error of the connection.
 */
function guardParser(connection: DriverConnection, observations: Observations): void {
  const attachListeners = connection.attachListeners.bind(connection);
  connection.attachListeners = (stream) => {
    attachListeners(stream);
    for (const listener of stream.listeners('data') as ((chunk: Buffer) => void)[]) {
      stream.off('data', listener);
      stream.on('data', (chunk: Buffer) => {
        try {
          listener(chunk);
        } catch (error) {
          observations.unreadable = chunk[0] === authenticationMessage ? 'authentication' : 'garbage';
          stream.destroy();
          connection.emit('error', error);
        }
      });
    }
  };
}
