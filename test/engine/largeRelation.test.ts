import assert from 'node:assert/strict';
import { open, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { verifyBackup } from '../../server/src/engine/verify/verifyBackup.ts';
import { engineContext } from '../support/engineContext.ts';
import { startServer } from '../support/postgresServer.ts';
import { RestorePlace } from '../support/restoredCopy.ts';
import { TestRepository } from '../support/testRepository.ts';
import { giveToServer } from '../support/unprivileged.ts';

const segmentBytes = 1024 ** 3;
const secondSegmentBytes = segmentBytes / 2;

describe('a relation of two segments, 1.5 GB', () => {
  it('comes back with its sizes and rows', async () => {
    // Pages of zeros are new pages: the server takes them for empty, and checksums do not apply to them.
    await using server = await startServer({ major: 18, settings: { autovacuum: false } });
    await server.sql('CREATE TABLE large AS SELECT n FROM generate_series(1, 5000) AS n');
    const path = await server.value(`SELECT pg_relation_filepath('large')`);
    await server.stop();
    const first = join(server.dataDirectory, path);
    await truncate(first, segmentBytes);
    await (await open(`${first}.1`, 'w', 0o600)).close();
    await truncate(`${first}.1`, secondSegmentBytes);
    await giveToServer(join(server.dataDirectory, 'base'));
    await server.start();

    await using backups = await TestRepository.create();
    const { record } = await backups.backup(server, { manifestChecksums: 'CRC32C' });
    assert.ok(record.tarBytes > segmentBytes + secondSegmentBytes);
    const { verification } = await verifyBackup(backups, engineContext());
    assert.deepEqual(verification.problems, []);
    assert.ok(verification.bytes > segmentBytes + secondSegmentBytes);

    await using place = await RestorePlace.create();
    const copy = await place.start(backups, 18);
    assert.equal((await stat(join(place.dataDirectory, path))).size, segmentBytes);
    assert.equal((await stat(join(place.dataDirectory, `${path}.1`))).size, secondSegmentBytes);
    assert.equal(Number(await copy.value(`SELECT pg_relation_size('large')`)), segmentBytes + secondSegmentBytes);
    assert.equal(await copy.value('SELECT count(*)::int FROM large WHERE ctid < $$(1000,0)$$'), '5000');
  });
});
