import type { Client, QueryResult } from 'pg';
import type { OpenedClient } from './attempt.ts';
import { socketOf, type AuthenticationAsked } from './driver.ts';
import { commandError } from './serverError.ts';

const closeTimeoutMs = 2000;

/** What both kinds of connection share: commands that end with the signal, and an orderly end. */
export class Session {
  readonly client: Client;
  /** Whether the connection is encrypted. */
  readonly tls: boolean;
  /** What the server asked for to admit us. */
  readonly authentication: AuthenticationAsked;
  /** Our own address as this machine knows it; absent on a Unix-domain socket. */
  readonly localAddress: string | undefined;
  /** The server's address as this machine sees it; absent on a Unix-domain socket. */
  readonly remoteAddress: string | undefined;
  readonly #signal: AbortSignal;
  readonly #onAbort = (): void => {
    this.destroy();
  };

  constructor({ client, tls, observations }: OpenedClient, signal: AbortSignal) {
    this.client = client;
    this.tls = tls;
    this.authentication = observations.asked;
    this.localAddress = observations.localAddress;
    this.remoteAddress = observations.remoteAddress;
    this.#signal = signal;
    signal.addEventListener('abort', this.#onAbort);
    if (signal.aborted) this.destroy();
  }

  /**
   * Runs one command. Throws `server.command-failed` with the SQLSTATE in its details, `connection.lost`, or the
   * signal's reason.
   */
  protected async run(text: string, values?: readonly unknown[]): Promise<QueryResult<Record<string, unknown>>> {
    this.#signal.throwIfAborted();
    try {
      return values === undefined
        ? await this.client.query<Record<string, unknown>>(text)
        : await this.client.query<Record<string, unknown>>(text, [...values]);
    } catch (error) {
      this.#signal.throwIfAborted();
      throw commandError(error, text);
    }
  }

  /** Ends the connection in good order; never throws, and never waits long for a server that is gone. */
  async close(): Promise<void> {
    this.#signal.removeEventListener('abort', this.#onAbort);
    const timer = setTimeout(() => {
      this.destroy();
    }, closeTimeoutMs);
    try {
      await this.client.end();
    } catch {
      this.destroy();
    } finally {
      clearTimeout(timer);
    }
  }

  /** Drops the connection at once. */
  destroy(): void {
    this.#signal.removeEventListener('abort', this.#onAbort);
    socketOf(this.client).destroy();
  }
}
