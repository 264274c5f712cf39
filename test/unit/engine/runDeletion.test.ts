import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { planDeletion } from '../../../server/src/engine/delete/planDeletion.ts';
import { runDeletion } from '../../../server/src/engine/delete/runDeletion.ts';
import { addVerification, listBackups } from '../../../server/src/repository/catalog.ts';
import { removeBackup } from '../../../server/src/repository/removal.ts';
import { engineContext } from '../../support/engineContext.ts';
import { fakeRecord, fakeVerification, repositoryIn, storeFakeBackup } from '../../support/fakeBackup.ts';
import { MemoryStore } from '../../support/memoryStore.ts';

const instance = 'shop';
const { signal } = new AbortController();

describe('a deletion whose plan was agreed to', () => {
  const [older, newer] = [fakeRecord(1), fakeRecord(2)];

  async function planned(
    id: string,
  ): Promise<{ repository: ReturnType<typeof repositoryIn>; run: () => Promise<unknown> }> {
    const repository = repositoryIn(new MemoryStore());
    for (const record of [older, newer]) await storeFakeBackup(repository, instance, record);
    const plan = await planDeletion({ repository, instance, id });
    return { repository, run: () => runDeletion(plan, engineContext()) };
  }

  it('is refused when the backup it would have left was found broken meanwhile', async () => {
    for (const [deleted, other] of [
      [older, newer],
      [newer, older],
    ] as const) {
      const { repository, run } = await planned(deleted.id);
      await addVerification(repository, instance, other.id, fakeVerification(5, { outcome: 'failed' }));
      await assert.rejects(run(), { code: 'backup.deletion-outdated' });
      assert.equal((await listBackups(repository, instance)).length, 2);
    }
  });

  it('is refused when the backup it would have left was deleted meanwhile', async () => {
    const { repository, run } = await planned(older.id);
    await removeBackup(repository, instance, newer.id, signal);
    await assert.rejects(run(), { code: 'backup.deletion-outdated' });
    assert.equal((await listBackups(repository, instance)).length, 1);
  });

  it('is refused when another backup was built on it meanwhile', async () => {
    const { repository, run } = await planned(newer.id);
    await storeFakeBackup(repository, instance, fakeRecord(3, { type: 'incr', parent: newer.id }));
    await assert.rejects(run(), { code: 'backup.needed-by-others' });
    assert.equal((await listBackups(repository, instance)).length, 3);
  });

  it('goes on when there is only more than before', async () => {
    const { repository, run } = await planned(newer.id);
    await storeFakeBackup(repository, instance, fakeRecord(3));
    await run();
    assert.deepEqual(
      (await listBackups(repository, instance)).map(({ record }) => record.id),
      [fakeRecord(3).id, older.id],
    );
  });
});
