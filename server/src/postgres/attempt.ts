import type { Client } from 'pg';
import { PointbackError } from '../api/errors.ts';
import { connectError } from './connectError.ts';
import { endpointOf, type ConnectionProfile, type Environment } from './connectionProfile.ts';
import { createClient, socketOf, type ConnectionKind, type Observations } from './driver.ts';
import { lookUpPassword, type PasswordAnswer } from './passwordLookup.ts';
import type { PasswordSource } from './secret.ts';
import { encryptionAttempts, tlsOptions, type Encryption } from './tls.ts';

/** What opening a connection needs beside the profile. */
export interface ConnectOptions {
  readonly signal: AbortSignal;
  readonly secrets: PasswordSource;
  /** Environment variables for passwords and default files; those of the process by default. */
  readonly environment?: Environment;
}

/** Which connection to open. */
export interface ConnectRequest {
  readonly kind: ConnectionKind;
  readonly database: string;
  readonly options?: string;
}

/** A client that is ready for commands, and what was seen on the way. */
export interface OpenedClient {
  readonly client: Client;
  readonly tls: boolean;
  readonly observations: Observations;
}

/**
 * Opens a connection with the fall-backs of its sslmode. The password is looked up once, and only if the server asks.
 *
 * Throws the connection errors of the error table, and the signal's reason.
 */
export async function openClient(
  profile: ConnectionProfile,
  request: ConnectRequest,
  options: ConnectOptions,
): Promise<OpenedClient> {
  const environment = options.environment ?? process.env;
  const lookupDatabase = request.kind === 'replication' ? 'replication' : request.database;
  let answer: Promise<PasswordAnswer> | undefined;
  const password = (): Promise<PasswordAnswer> =>
    (answer ??= lookUpPassword(profile, { ...options, environment, database: lookupDatabase }));

  const failures: PointbackError[] = [];
  for (const encryption of encryptionAttempts(profile.sslMode, profile.host)) {
    options.signal.throwIfAborted();
    try {
      return await attempt(profile, request, encryption, password, environment, options.signal);
    } catch (error) {
      options.signal.throwIfAborted();
      if (!(error instanceof PointbackError)) throw error;
      failures.push(error);
      if (!worthOtherEncryption(error)) break;
    }
  }
  throw mostTelling(failures);
}

/** Whether the other kind of encryption may succeed where this one failed. */
function worthOtherEncryption({ code, details }: PointbackError): boolean {
  return code.startsWith('tls.') || details?.['sqlstate'] === '28000' || details?.['sqlstate'] === '08P01';
}

/** An answer of PostgreSQL says more than a handshake that failed; of several, the first attempt is the preferred one. */
function mostTelling(failures: readonly PointbackError[]): PointbackError {
  const rank = ({ code }: PointbackError): number => {
    if (code.startsWith('tls.')) return 2;
    return code.endsWith('.no-hba-line') ? 1 : 0;
  };
  const [first] = failures.toSorted((one, other) => rank(one) - rank(other));
  return first ?? new PointbackError('internal.unexpected', { message: 'No connection was attempted.' });
}

async function attempt(
  profile: ConnectionProfile,
  request: ConnectRequest,
  encryption: Encryption,
  password: () => Promise<PasswordAnswer>,
  environment: Environment,
  signal: AbortSignal,
): Promise<OpenedClient> {
  const tls = encryption === 'tls' ? await tlsOptions(profile, environment) : undefined;
  const clock = new ConnectClock(profile.connectTimeoutMs);
  const { client, observations } = createClient(profile, {
    ...request,
    tls,
    password: () => clock.pausedFor(async () => reveal(await password(), profile)),
  });
  try {
    await within(client, clock, profile, signal);
    return { client, tls: encryption === 'tls', observations };
  } catch (error) {
    socketOf(client).destroy();
    signal.throwIfAborted();
    throw connectError(error, { profile, encryption, observations, kind: request.kind, database: request.database });
  }
}

function within(client: Client, clock: ConnectClock, profile: ConnectionProfile, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clock.stop();
      signal.removeEventListener('abort', onAbort);
    };
    const fail = (error: unknown): void => {
      stop();
      reject(error instanceof Error ? error : new Error(String(error)));
    };
    const onAbort = (): void => {
      fail(signal.reason);
    };
    if (signal.aborted) {
      onAbort();
      return;
    }
    signal.addEventListener('abort', onAbort);
    clock.start(() => {
      fail(
        new PointbackError('connection.timeout', {
          message: `${endpointOf(profile)} did not answer within ${profile.connectTimeoutMs / 1000} seconds.`,
        }),
      );
    });
    client.connect().then(() => {
      stop();
      resolve();
    }, fail);
  });
}

/** Counts the time a connection takes, but not the time a person takes to type a password. */
class ConnectClock {
  readonly #limitMs: number;
  #expired: () => void = () => undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  start(expired: () => void): void {
    this.#expired = expired;
    if (this.#limitMs > 0 && !this.#stopped) this.#timer = setTimeout(expired, this.#limitMs);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async pausedFor<T>(work: () => Promise<T>): Promise<T> {
    clearTimeout(this.#timer);
    try {
      return await work();
    } finally {
      this.start(this.#expired);
    }
  }
}

function reveal({ password, ignoredPassFile }: PasswordAnswer, profile: ConnectionProfile): string {
  const value = password?.reveal() ?? '';
  if (value !== '') return value;
  const problem = {
    'readable-by-others': 'it can be read by others than you',
    'not-a-file': 'it is not a plain file',
    unreadable: 'it cannot be read',
  };
  throw new PointbackError('authentication.password-missing', {
    message:
      `The server asks for the password of role "${profile.user}", and none was found.` +
      (ignoredPassFile === undefined
        ? ''
        : ` ${ignoredPassFile.path} was ignored: ${problem[ignoredPassFile.reason]}.`),
    ...(ignoredPassFile?.reason === 'readable-by-others' ? { remedy: `chmod 600 ${ignoredPassFile.path}` } : {}),
  });
}
