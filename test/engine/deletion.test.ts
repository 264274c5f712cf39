import assert from 'node:assert/strict';
import { lstat, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { PointbackError } from '../../server/src/api/errors.ts';
import { planDeletion } from '../../server/src/engine/delete/planDeletion.ts';
import { runDeletion } from '../../server/src/engine/delete/runDeletion.ts';
import { planRestore } from '../../server/src/engine/restore/planRestore.ts';
import { runRestore } from '../../server/src/engine/restore/runRestore.ts';
import type { Repository } from '../../server/src/repository/repository.ts';
import { failOnCall } from '../faults/failOnCall.ts';
import { slowStore } from '../faults/slowStore.ts';
import { engineContext } from '../support/engineContext.ts';
import { Scene, assertCode, failure } from '../support/scene.ts';
import { temporaryDirectory } from '../support/temporaryDirectory.ts';

describe('a deletion', () => {
  let scene: Scene;
  before(async () => {
    scene = await Scene.open({ major: 18 });
  });
  after(async () => {
    await scene[Symbol.asyncDispose]();
  });
  let newest: string;
  let older: string;
  beforeEach(async () => {
    while ((await scene.ids()).length < 2) await scene.backup();
    [newest = '', older = ''] = await scene.ids();
  });

  const remove = async (id: string, repository: Repository = scene.repository): Promise<unknown> =>
    runDeletion(await planDeletion({ repository, instance: scene.instance, id }), engineContext());

  it('tells when it is the newest, removes it wholly, and leaves the other', async () => {
    const parameters = { repository: scene.repository, instance: scene.instance };
    const plan = await planDeletion({ ...parameters, id: newest });
    assert.equal(plan.isNewestRestorable, true);
    assert.equal(plan.newestLeft?.record.id, older);
    assert.equal((await planDeletion({ ...parameters, id: older })).isNewestRestorable, false);
    await runDeletion(plan, engineContext());
    assert.equal((await scene.ids()).includes(newest), false);
    await assert.rejects(lstat(join(scene.repository.location, 'shop/backups', newest)), { code: 'ENOENT' });
    await scene.assertWorks();
  });

  it('is refused while the backup is restored', async () => {
    await using directory = await temporaryDirectory('restore');
    const targetDirectory = join(directory.path, 'copy');
    const reading = Promise.withResolvers<undefined>();
    const released = Promise.withResolvers<undefined>();
    const store = slowStore(scene.repository.store, async (moment, key) => {
      if (moment !== 'read' || !key.endsWith('base.tar.zst')) return;
      reading.resolve(undefined);
      await released.promise;
    });
    const plan = await planRestore(
      {
        repository: { ...scene.repository, store },
        instance: scene.instance,
        id: older,
        targetDirectory,
        tablespaceMapping: new Map(),
        startResources: { serverBinaries: [], containerCommand: [] },
      },
      engineContext(),
    );
    const restore = runRestore(plan, engineContext());
    await Promise.race([reading.promise, restore]);
    const error = await failure(remove(older));
    assertCode(error, 'backup.being-read');
    assert.match(error.message, new RegExp(`restore ${older} by process ${process.pid} on `));
    // The other one is not in use.
    await remove(newest);
    released.resolve(undefined);
    await restore;
    await remove(older);
    assert.deepEqual(await scene.ids(), []);
    await scene.backup();
    await scene.assertWorks();
  });

  it('that is interrupted leaves the backup whole or gone, and the next backup sweeps', async () => {
    let calls = 2;
    for (let n = 1; n <= calls; n += 1) {
      await scene.assertWorks();
      const [id = ''] = await scene.ids();
      const failing = failOnCall(
        scene.repository.store,
        n,
        () => new PointbackError('store.failed', { message: 'The disk of the repository gave up.' }),
        { calls: ['delete'], once: true },
      );
      const removal = remove(id, { ...scene.repository, store: failing });
      calls = Math.max(calls, failing.calls);
      const error = await removal.then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      calls = Math.max(calls, failing.calls);
      const isListed = (await scene.ids()).includes(id);
      assert.equal(isListed, n === 1);
      // The last call gives the lock back, after everything is done.
      if (error === undefined) {
        assert.equal(n, failing.calls);
        await rm(join(scene.repository.location, 'shop/locks'), { recursive: true });
      } else {
        assert.ok(error instanceof PointbackError && error.code === 'store.failed');
      }
    }
    assert.ok(calls >= 5, `${calls} calls`);
    await scene.assertWorks();
    await scene.assertOnlyCommitted();
  });

  it('of what is not there is refused', async () => {
    assertCode(await failure(remove('20200101T000000.000Z-full')), 'backup.unknown');
  });
});
