import assert from 'node:assert/strict';
import type pg from 'pg';
import { parseLsn, type Lsn } from '../../server/src/formats/lsn.ts';
import type { TestServer } from './testServer.ts';
import { waitFor } from './waitFor.ts';

/** What a client knows of one of its commits. */
interface Commit {
  readonly number: number;
  /** A position at or after its commit record, and before the next commit's. */
  readonly position: Lsn;
}

/** Commits between two tables that come and go. */
const churnEvery = 20;

/**
 * A client that inserts numbered rows in a loop, a commit each, and meanwhile creates, fills and drops another table: what
 * a backup sees of a server at work.
 */
export class CommitWriter {
  readonly #client: pg.Client;
  readonly #commits: Commit[] = [];
  #stopping = false;
  readonly #loop: Promise<void>;

  private constructor(client: pg.Client) {
    this.#client = client;
    this.#loop = this.#write();
    // Whoever waits for a commit or stops the writer is told.
    this.#loop.catch(() => undefined);
  }

  /** Starts to write into the database `postgres`; resolves after `commits` of them. */
  static async start(server: TestServer, commits: number): Promise<CommitWriter> {
    await server.sql('CREATE TABLE commits (number int PRIMARY KEY, filler text)');
    const writer = new CommitWriter(await server.connect());
    await Promise.race([
      waitFor(`${commits} rows are committed`, () => writer.acknowledged >= commits),
      writer.#loop.then(() => assert.fail('the writer ended')),
    ]);
    return writer;
  }

  /** How many commits the server has acknowledged. */
  get acknowledged(): number {
    return this.#commits.length;
  }

  /** Ends the loop after the commit at hand. Throws what stopped it before. */
  async stop(): Promise<void> {
    this.#stopping = true;
    try {
      await this.#loop;
    } finally {
      await this.#client.end();
    }
  }

  /** Commits that were acknowledged when the server's WAL ended at `position`: what recovery up to there brings back. */
  committedAt(position: Lsn): number {
    return this.#commits.filter((commit) => commit.position <= position).length;
  }

  async #write(): Promise<void> {
    for (let number = 1; !this.#stopping; number++) {
      await this.#client.query(`INSERT INTO commits VALUES (${number}, repeat(md5('${number}'), 10))`);
      const { rows } = await this.#client.query<{ lsn: string }>('SELECT pg_current_wal_lsn()::text AS lsn');
      this.#commits.push({ number, position: parseLsn(rows[0]?.lsn ?? '') });
      if (number % churnEvery === 0) await this.#client.query('CREATE TABLE churn AS SELECT generate_series(1, 2000)');
      if (number % churnEvery === churnEvery / 2) await this.#client.query('DROP TABLE IF EXISTS churn');
    }
  }
}
