import type { QueryResultRow } from 'pg';
import { Session } from './session.ts';

/** An ordinary connection, for SQL. */
export class SqlConnection extends Session {
  /**
   * The rows of a query; int8 and numeric come as text. Throws `server.command-failed` with the SQLSTATE in its details,
   * `connection.lost`, or the signal's reason.
   */
  async query<T extends QueryResultRow>(text: string, values?: readonly unknown[]): Promise<T[]> {
    const { rows } = await this.run(text, values);
    return rows as T[];
  }
}
