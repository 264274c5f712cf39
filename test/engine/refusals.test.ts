import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { checkInstance } from '../../server/src/engine/check/checkInstance.ts';
import { openReplicationConnection } from '../../server/src/postgres/connect.ts';
import { engineContext } from '../support/engineContext.ts';
import { startServer } from '../support/postgresServer.ts';
import { Scene } from '../support/scene.ts';
import type { Settings } from '../support/testServer.ts';

describe('a backup that the server cannot give', () => {
  let scene: Scene;
  before(async () => {
    scene = await Scene.open({ major: 18 });
  });
  after(async () => {
    await scene[Symbol.asyncDispose]();
  });

  /** Runs `body` on a server restarted with the settings, and restores the usual ones. */
  async function withSettings(settings: Settings, body: () => Promise<unknown>): Promise<void> {
    await scene.server.addSettings(settings);
    await scene.server.restart();
    await body();
    await scene.server.addSettings({ wal_level: 'replica', max_wal_senders: 10, max_replication_slots: 10 });
    await scene.server.restart();
    await scene.assertWorks();
  }

  it('since the role lost REPLICATION after a check that was fine', async () => {
    const { profile } = scene.parameters();
    assert.ok((await checkInstance({ profile }, engineContext())).ok);
    await scene.server.sql('ALTER ROLE backup NOREPLICATION');
    const error = await scene.assertFails('replication.role-lacks-replication', () => scene.backup());
    assert.match(error.message, /role "backup" lacks the REPLICATION attribute/);
    assert.match(error.remedy, /ALTER ROLE .* REPLICATION/);
    await scene.server.sql('ALTER ROLE backup REPLICATION');
    await scene.assertWorks();
  });

  it('since there are no replication slots', async () => {
    await withSettings({ max_replication_slots: 0 }, async () => {
      const error = await scene.assertFails('replication.no-slot', () => scene.backup());
      assert.match(error.remedy, /max_replication_slots/);
    });
  });

  it('since all replication slots are in use', async () => {
    await withSettings({ max_replication_slots: 1 }, async () => {
      await scene.server.sql(`SELECT pg_create_physical_replication_slot('of_somebody')`);
      const error = await scene.assertFails('replication.no-slot', () => scene.backup());
      await scene.server.sql(`SELECT pg_drop_replication_slot('of_somebody')`);
      assert.match(error.message, /max_replication_slots is 1, and 1 are there/);
      assert.match(error.remedy, /max_replication_slots = 10/);
    });
  });

  it('since there is one WAL sender, and it needs two', async () => {
    await withSettings({ max_wal_senders: 1 }, async () => {
      const error = await scene.assertFails('replication.no-walsender', () => scene.backup());
      assert.match(error.message, /needs two replication connections \(WAL senders\), and only one is free/);
      assert.match(error.remedy, /max_wal_senders = 10/);
      const holder = await openReplicationConnection(scene.parameters().profile, engineContext());
      const second = await scene.assertFails('replication.no-walsender', () => scene.backup());
      await holder.close();
      assert.match(second.message, /none is free/);
    });
  });

  it('since wal_level is minimal', async () => {
    await withSettings({ wal_level: 'minimal', max_wal_senders: 0 }, async () => {
      const error = await scene.assertFails('replication.wal-level', () => scene.backup());
      assert.match(error.remedy, /wal_level = replica[^]*max_wal_senders = 10/);
    });
  });

  it('since another cluster answers under the name of the instance', async () => {
    await using other = await startServer({ major: 18, ownSystemIdentifier: true });
    await other.sql(`CREATE ROLE backup LOGIN REPLICATION PASSWORD 'pw'`);
    const { port } = other;
    const error = await scene.assertFails('instance.different-system', () =>
      scene.backup(scene.parameters({}, { port })),
    );
    assert.match(error.message, /another cluster under the name shop/);
    assert.notEqual(error.details?.['held'], error.details?.['server']);
    assert.equal(await other.value('SELECT count(*)::int FROM pg_replication_slots'), '0');
    await scene.assertWorks();
  });

  it('since its parameters are nonsense', async () => {
    for (const changes of [{ maxRateKb: 1 }, { label: 'two\nlines' }, { label: 'x'.repeat(1025) }]) {
      await scene.assertFails('backup.invalid-option', () => scene.backup(changes));
    }
    await scene.assertWorks();
  });
});
