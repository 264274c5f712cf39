import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isPointbackError } from '../../server/src/api/errors.ts';
import { streamBaseBackup, type BaseBackupSink } from '../../server/src/postgres/baseBackupStream.ts';
import { openReplicationConnection } from '../../server/src/postgres/connect.ts';
import { parseConnectionUrl } from '../../server/src/postgres/connectionProfile.ts';
import { startServer } from '../support/postgresServer.ts';
import { waitFor } from '../support/waitFor.ts';

const nothing: BaseBackupSink = {
  begin: () => undefined,
  beginArchive: () => undefined,
  archiveData: () => undefined,
  endArchive: () => undefined,
  manifestData: () => undefined,
  warning: () => undefined,
};

describe('a replication connection that died while it was idle', () => {
  it('ends the backup that was to run on it, at once', { timeout: 20_000 }, async () => {
    await using server = await startServer({ major: 18 });
    const { signal } = new AbortController();
    const connection = await openReplicationConnection(parseConnectionUrl(server.url(), {}), {
      signal,
      secrets: { password: () => Promise.resolve(undefined) },
    });
    const ended = new Promise((resolve) => connection.client.once('end', resolve));
    await server.sql('SELECT pg_terminate_backend(pid) FROM pg_stat_replication');
    await ended;
    await waitFor(
      'the walsender to be gone',
      async () => (await server.value('SELECT count(*)::text FROM pg_stat_replication')) === '0',
    );
    const options = { label: 'x', checkpoint: 'fast', manifestChecksums: 'SHA256' } as const;
    await assert.rejects(
      streamBaseBackup(connection.client, connection.serverVersionNumber, options, nothing, signal),
      (error) => isPointbackError(error, 'backup.connection-lost'),
    );
  });
});
