import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { BackupOutcome } from '../../server/src/engine/backup/runningBackup.ts';
import { verifyBackup } from '../../server/src/engine/verify/verifyBackup.ts';
import { listBackups } from '../../server/src/repository/catalog.ts';
import { parseVerificationRecord } from '../../server/src/repository/records.ts';
import { verificationPrefix } from '../../server/src/repository/layout.ts';
import type { VerificationRecord } from '../../server/src/repository/backupRecord.ts';
import { engineContext } from '../support/engineContext.ts';
import { startServer } from '../support/postgresServer.ts';
import { RestorePlace } from '../support/restoredCopy.ts';
import { TestRepository } from '../support/testRepository.ts';
import type { TestServer } from '../support/testServer.ts';

const pageBytes = 8192;

async function damage(path: string, page: number): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.write(Buffer.alloc(100, 0xaa), 0, 100, page * pageBytes + 5000);
  } finally {
    await file.close();
  }
}

for (const major of [13, 18]) {
  describe(`PostgreSQL ${major}: a page that fails its checksum`, () => {
    let server: TestServer;
    let backups: TestRepository;
    let path: string;
    let outcome: BackupOutcome;
    before(async () => {
      server = await startServer({ major, initdbArguments: ['--data-checksums'] });
      backups = await TestRepository.create();
      await server.sql('CREATE TABLE orders AS SELECT n, repeat(md5(n::text), 20) FROM generate_series(1, 1000) AS n');
      path = await server.value(`SELECT pg_relation_filepath('orders')`);
      await server.stop();
      await damage(join(server.dataDirectory, path), 2);
      await server.start();
      outcome = await backups.backup(server);
    });
    after(async () => {
      await server[Symbol.asyncDispose]();
      await backups[Symbol.asyncDispose]();
    });

    const states = async (): Promise<unknown[]> =>
      (await listBackups(backups.repository, backups.instance)).map(({ state }) => state);

    async function records(): Promise<VerificationRecord[]> {
      const { store } = backups.repository;
      const found: VerificationRecord[] = [];
      for await (const { key } of store.list(verificationPrefix(backups.instance, outcome.record.id))) {
        found.push(parseVerificationRecord(await store.read(key), key));
      }
      return found.sort((one, other) => (one.at < other.at ? -1 : 1));
    }

    it('makes the backup broken, and its record names the file', async () => {
      assert.equal(outcome.state, 'broken');
      assert.equal(outcome.record.dataChecksums, true);
      assert.ok(outcome.problems.every(({ code }) => code === 'page-checksum'));
      assert.ok(
        outcome.problems.some(({ message }) => message.includes(path)),
        JSON.stringify(outcome.problems),
      );
      const [receipt, ...others] = await records();
      assert.deepEqual(others, []);
      assert.equal(receipt?.by, 'receipt');
      assert.equal(receipt.outcome, 'failed');
      assert.deepEqual(receipt.problems, outcome.problems);
      assert.equal(receipt.problemCount, outcome.problems.length);
    });

    it('shows in the list, with the reason', async () => {
      const [entry] = await listBackups(backups.repository, backups.instance);
      assert.equal(entry?.state, 'broken');
      assert.match(entry.stateReason ?? '', /checksum/);
    });

    it('stays broken when its bytes are read back as they came', async () => {
      const { verification } = await verifyBackup(backups, engineContext());
      assert.equal(verification.outcome, 'passed');
      assert.equal((await records()).length, 2);
      assert.deepEqual(await states(), ['broken']);
      await verifyBackup(backups, engineContext());
      assert.deepEqual(await states(), ['broken']);
    });

    it('is told of before a restore', async () => {
      await using place = await RestorePlace.create();
      const { state, warnings } = await place.plan(backups, major);
      assert.equal(state, 'broken');
      assert.ok(
        warnings.some((warning) => warning.includes('broken') && warning.includes('checksum')),
        warnings.join(),
      );
    });

    it('that was repaired leaves the next backup whole, and the list starts with it', async () => {
      await server.sql('SET zero_damaged_pages = on; CREATE TABLE kept AS SELECT * FROM orders; DROP TABLE orders;');
      const next = await backups.backup(server);
      assert.equal(next.state, 'unproven');
      assert.deepEqual(await states(), ['unproven', 'broken']);
    });
  });
}
