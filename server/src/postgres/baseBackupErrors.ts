import type { DatabaseError } from 'pg';
import { PointbackError } from '../api/errors.ts';

/**
 * The user's words for what ended a base backup: the server's error, or its silence when there is none. Told apart by
 * SQLSTATE, never by text, since servers speak many languages. `socketError` is what broke the connection without a word.
 */
export function baseBackupError(error: DatabaseError | undefined, socketError?: unknown): PointbackError {
  if (error === undefined) {
    return new PointbackError('backup.connection-lost', {
      message: 'The connection to the server ended before the backup was complete.',
      cause: socketError,
    });
  }
  const said = `The server said: ${error.message}${error.detail === undefined ? '' : ` (${error.detail})`}`;
  switch (error.code) {
    case '57P01':
    case '57P02':
    case '57P03':
      return new PointbackError('backup.server-shutdown', {
        // PostgreSQL has one SQLSTATE for a shutdown and for pg_terminate_backend.
        message: `The server was shut down during the backup, or somebody ended its session. ${said}`,
        cause: error,
      });
    case '57014':
      return new PointbackError('backup.cancelled-on-server', {
        message: `Somebody cancelled the backup on the server. ${said}`,
        cause: error,
      });
    case '55000':
      return new PointbackError('backup.not-possible-now', {
        message: `The server cannot give a backup in its present state. ${said}`,
        cause: error,
      });
    case '53100':
    case '53200':
      return new PointbackError('backup.server-resources', {
        message: `The server ran out of disk or memory during the backup. ${said}`,
        cause: error,
      });
    default:
      return new PointbackError('backup.server-error', {
        message: `The backup failed on the server. ${said}`,
        cause: error,
        details: { sqlstate: error.code ?? null, routine: error.routine ?? null },
      });
  }
}
