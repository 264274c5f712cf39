import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { BackupOutcome } from '../../server/src/engine/backup/runningBackup.ts';
import { planRestore } from '../../server/src/engine/restore/planRestore.ts';
import { runRestore } from '../../server/src/engine/restore/runRestore.ts';
import { verifyBackup } from '../../server/src/engine/verify/verifyBackup.ts';
import { parseLsn } from '../../server/src/formats/lsn.ts';
import { listBackups } from '../../server/src/repository/catalog.ts';
import { CommitWriter } from '../support/commitWriter.ts';
import { engineContext } from '../support/engineContext.ts';
import { freePort } from '../support/freePort.ts';
import { startServer } from '../support/postgresServer.ts';
import { RestorePlace } from '../support/restoredCopy.ts';
import { assertCode, failure, filesBelow, openBelow } from '../support/scene.ts';
import { temporaryDirectory } from '../support/temporaryDirectory.ts';
import { TestRepository } from '../support/testRepository.ts';
import { TestServer } from '../support/testServer.ts';
import { giveToServer } from '../support/unprivileged.ts';
import { waitFor } from '../support/waitFor.ts';
import { inTheMiddle, watchedContext } from '../support/watchedContext.ts';

/** Slow enough that a promotion happens in the middle. */
const slowly = { maxRateKb: 2048 };

/** Makes a streaming standby of a server out of the newest backup of it, restored by Pointback without its quarantine. */
async function startStandby(primary: TestServer, { repository, instance }: TestRepository): Promise<TestServer> {
  const home = await temporaryDirectory('standby', { forServer: true });
  const dataDirectory = join(home.path, 'data');
  const plan = await planRestore(
    {
      repository,
      instance,
      targetDirectory: dataDirectory,
      tablespaceMapping: new Map(),
      startResources: { serverBinaries: [], containerCommand: [] },
    },
    engineContext(),
  );
  await runRestore(plan, engineContext());
  // What quarantines the copy; as a standby it is the original's again.
  await writeFile(join(dataDirectory, 'postgresql.auto.conf'), '');
  await rm(join(dataDirectory, 'recovery.signal'), { force: true });
  await writeFile(join(dataDirectory, 'standby.signal'), '');
  await giveToServer(dataDirectory);
  const standby = new TestServer(primary.binaries, await freePort(), home, undefined);
  await standby.addSettings({
    port: standby.port,
    primary_conninfo: `host=${primary.host} port=${primary.port} user=${primary.user} password=${primary.password}`,
  });
  try {
    await standby.start();
  } catch (error) {
    await standby[Symbol.asyncDispose]();
    throw error;
  }
  return standby;
}

for (const major of [15, 18]) {
  describe(`PostgreSQL ${major}: a backup taken from a streaming standby`, () => {
    let primary: TestServer;
    let standby: TestServer;
    let backups: TestRepository;
    const opened: AsyncDisposable[] = [];
    before(async () => {
      primary = await startServer({ major, settings: { checkpoint_timeout: '30min' } });
      opened.push(primary);
      backups = await TestRepository.create();
      opened.push(backups);
      await primary.sql('CREATE TABLE orders AS SELECT n, md5(n::text) FROM generate_series(1, 1000) AS n');
      const { record } = await backups.backup(primary);
      assert.equal(record.from, 'primary');
      standby = await startStandby(primary, backups);
      opened.push(standby);
    });
    after(async () => {
      for (const each of opened.toReversed()) await each[Symbol.asyncDispose]();
    });

    const caughtUp = async (): Promise<void> => {
      const position = await primary.value('SELECT pg_current_wal_lsn()');
      await waitFor('the standby has replayed what the primary wrote', async () => {
        return (await standby.value(`SELECT pg_last_wal_replay_lsn() >= '${position}'`)) === 'true';
      });
    };

    /** Verifies the newest backup, restores it, and starts it; resolves to its number of orders. */
    async function assertRestores({ record }: BackupOutcome, commits = 0): Promise<number> {
      assert.equal(record.from, 'standby');
      assert.equal(record.startTimeline, 1);
      const { verification } = await verifyBackup(backups, engineContext());
      assert.deepEqual(verification.problems, []);
      await using place = await RestorePlace.create();
      const copy = await place.start(backups, major);
      assert.equal(copy.plan.backup.id, record.id);
      const reached = parseLsn(await copy.value('SELECT pg_last_wal_replay_lsn()'));
      assert.ok(reached >= parseLsn(record.endLsn), `${reached} is not ${record.endLsn}`);
      if (commits > 0) assert.ok(Number(await copy.value('SELECT count(*) FROM commits')) >= commits);
      return Number(await copy.value('SELECT count(*) FROM orders'));
    }

    it('of an idle primary verifies, restores and starts', async () => {
      await caughtUp();
      assert.equal(await assertRestores(await backups.backup(standby)), 1000);
    });

    it('while the primary is written to holds at least what was replayed before', async () => {
      const writer = await CommitWriter.start(primary, 10);
      let outcome: BackupOutcome;
      try {
        await primary.sql(
          `INSERT INTO orders SELECT n, md5(n::text) FROM generate_series(1001, 2000) AS n; CHECKPOINT`,
        );
        await caughtUp();
        const context = watchedContext();
        outcome = await inTheMiddle(
          backups.backup(standby, { maxRateKb: 32 * 1024 }, {}, context),
          context.reached('receiving'),
          () => primary.sql(`UPDATE orders SET md5 = md5 || 'x'`),
        );
      } finally {
        await writer.stop();
      }
      assert.equal(await assertRestores(outcome, writer.committedAt(parseLsn(outcome.record.endLsn))), 2000);
    });

    it('fails when the standby is promoted meanwhile, and leaves nothing', async () => {
      const before = await filesBelow(backups.repository.location);
      const context = watchedContext();
      const error = await failure(
        inTheMiddle(backups.backup(standby, slowly, {}, context), context.reached('receiving'), () =>
          standby.sql('SELECT pg_promote()'),
        ),
      );
      assertCode(error, 'backup.not-possible-now');
      assert.match(error.message, /promoted/);
      assert.deepEqual(await filesBelow(backups.repository.location), before);
      assert.deepEqual(await openBelow(backups.repository.location), []);
      assert.equal((await listBackups(backups.repository, backups.instance)).length, 3);
    });
  });
}
