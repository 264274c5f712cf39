import { PointbackError } from '../api/errors.ts';
import { parseLsn, type Lsn } from '../formats/lsn.ts';
import type { OpenedClient } from './attempt.ts';
import { sqlstateOf } from './serverError.ts';
import { Session } from './session.ts';

/** The answer to IDENTIFY_SYSTEM. */
export interface SystemIdentity {
  readonly systemIdentifier: bigint;
  readonly timeline: number;
  /** The end of the WAL the server could send. */
  readonly flushLsn: Lsn;
}

/**
 * A physical replication connection. Simple queries of the replication grammar only, one at a time (PostgreSQL
 * documentation, "Streaming Replication Protocol").
 */
export class ReplicationConnection extends Session {
  #serverVersionNumber = 0;

  /** Takes over an opened client and learns the server's version. */
  static async start(opened: OpenedClient, signal: AbortSignal): Promise<ReplicationConnection> {
    const connection = new ReplicationConnection(opened, signal);
    try {
      connection.#serverVersionNumber = Number(await connection.show('server_version_num'));
      return connection;
    } catch (error) {
      connection.destroy();
      throw error;
    }
  }

  /** As in `server_version_num`: 150018 is 15.18. */
  get serverVersionNumber(): number {
    return this.#serverVersionNumber;
  }

  /** Asks who the server is. Throws as `show`. */
  async identifySystem(): Promise<SystemIdentity> {
    const row = await this.#row('IDENTIFY_SYSTEM');
    return {
      systemIdentifier: BigInt(text(row, 'systemid')),
      timeline: Number(text(row, 'timeline')),
      flushLsn: parseLsn(text(row, 'xlogpos')),
    };
  }

  /**
   * The value of a setting, in the server's own units. Throws `server.command-failed` (SQLSTATE 42501 where the role may
   * not see it, 42704 where the server does not know it); an error drops the temporary slots of the session.
   */
  async show(name: string): Promise<string> {
    if (!/^[a-z_][a-z0-9_.]*$/i.test(name)) throw new TypeError(`${name} is no setting`);
    const [value] = Object.values(await this.#row(`SHOW ${name}`));
    return String(value);
  }

  /**
   * Creates a temporary physical slot that holds the WAL from the last checkpoint's redo position on. It goes with the
   * session, and with the first error on it. Throws `replication.no-slot` when all are in use, `server.command-failed`.
   */
  async createTemporarySlot(name: string): Promise<void> {
    if (!/^[a-z0-9_]{1,63}$/.test(name)) throw new TypeError(`${name} is no slot name`);
    // This form is understood by all versions.
    try {
      await this.run(`CREATE_REPLICATION_SLOT ${name} TEMPORARY PHYSICAL RESERVE_WAL`);
    } catch (error) {
      // 53400: all are in use. CheckSlotRequirements: max_replication_slots is 0.
      const none = error instanceof PointbackError && error.details?.['routine'] === 'CheckSlotRequirements';
      if (!none && sqlstateOf(error) !== '53400') throw error;
      throw new PointbackError('replication.no-slot', {
        message: 'The server has no replication slot left, which the backup needs to hold its WAL.',
        cause: error,
      });
    }
  }

  async #row(command: string): Promise<Record<string, unknown>> {
    const [row] = (await this.run(command)).rows;
    if (row !== undefined) return row;
    throw new PointbackError('protocol.broken', { message: `The server answered ${command} without a row.` });
  }
}

/** A column as text: the driver makes numbers of some, in some versions. */
function text(row: Record<string, unknown>, column: string): string {
  const value = row[column];
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  throw new PointbackError('protocol.broken', { message: `The server's answer has no "${column}".` });
}
