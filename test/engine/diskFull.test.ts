import assert from 'node:assert/strict';
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { PointbackError } from '../../server/src/api/errors.ts';
import { planRestore } from '../../server/src/engine/restore/planRestore.ts';
import type { RestorePlan } from '../../server/src/engine/restore/restorePlan.ts';
import { runRestore } from '../../server/src/engine/restore/runRestore.ts';
import type { ObjectBody, ObjectStore, StoreCallOptions } from '../../server/src/repository/store/objectStore.ts';
import { failAfterBytes } from '../faults/failAfterBytes.ts';
import { PassThrough } from '../faults/passThrough.ts';
import { engineContext } from '../support/engineContext.ts';
import { Scene, assertCode, failure, filesBelow, openBelow } from '../support/scene.ts';
import { SmallDisk, canMount } from '../support/smallDisk.ts';
import { waitFor } from '../support/waitFor.ts';

const uncompressed = { compression: { method: 'none' } } as const;
const notRoot = canMount ? false : 'only root can mount a disk';
const mebibyte = 1024 * 1024;

/** A store that cannot tell how much is free, as some network file systems cannot. */
class WithoutGauge extends PassThrough {
  override freeBytes(): Promise<undefined> {
    return Promise.resolve(undefined);
  }
}

describe('a backup onto a disk that gets full', { skip: notRoot }, () => {
  let disk: SmallDisk;
  let scene: Scene;
  before(async () => {
    disk = await SmallDisk.mount(400);
    scene = await Scene.open({ major: 18 }, disk.path);
  });
  after(async () => {
    await scene[Symbol.asyncDispose]();
    await disk[Symbol.asyncDispose]();
  });

  it('is refused before a byte of it is written when it cannot fit', async () => {
    await disk.leaveFree(60 * mebibyte);
    const error = await scene.assertFails('backup.no-space', () => scene.backup());
    assert.match(error.message, /needs about \d.* where .* are free/);
    assert.ok(Number(error.details?.['freeBytes']) <= 60 * mebibyte + 4096);
    await disk.clear();
    await scene.assertWorks();
  });

  it('fails whatever was being written at that moment, and leaves nothing', { timeout: 60_000 }, async () => {
    const { record } = await scene.backup(uncompressed);
    const files = await filesBelow(join(scene.repository.location, `shop/backups/${record.id}`));
    const sizeOf = (path: string): number => Math.ceil((files.get(path) ?? 0) / 4096) * 4096;
    const archive = sizeOf('data/base.tar');
    const manifest = sizeOf('data/backup_manifest');
    const index = sizeOf('index.json');
    const places = {
      lock: 0,
      'first of the archive': 64 * 1024,
      'middle of the archive': archive / 2,
      'manifest or index': archive + manifest / 2,
      index: archive + manifest + index / 2,
      'commit record': archive + manifest + index + 4096,
    };
    const repository = { ...scene.repository, store: new WithoutGauge(scene.repository.store) };
    for (const [place, bytes] of Object.entries(places)) {
      await disk.leaveFree(bytes);
      const error = await scene.assertFails('store.no-space', () => scene.backup({ ...uncompressed, repository }));
      assert.match(error.message, /No space is left/, place);
    }
    await disk.clear();
    await scene.assertWorks();
  });
});

describe('a backup into a store that fails', () => {
  let scene: Scene;
  before(async () => {
    scene = await Scene.open({ major: 18 });
  });
  after(async () => {
    await scene[Symbol.asyncDispose]();
  });
  const into = (store: ObjectStore) => (): Promise<unknown> =>
    scene.backup({ ...uncompressed, repository: { ...scene.repository, store } });

  it('since it is full', async () => {
    for (const bytes of [0, 2000, 100_000, 20_000_000]) {
      await scene.assertFails('store.no-space', into(failAfterBytes(scene.repository.store, bytes)));
    }
    await scene.assertWorks();
  });

  /** Objects of that name fail before the store has taken a byte of them, once `when` has come. */
  class FailsAt extends PassThrough {
    readonly #name: string;
    readonly #when: () => Promise<unknown>;

    constructor(name: string, when: () => Promise<unknown> = () => Promise.resolve()) {
      super(scene.repository.store);
      this.#name = name;
      this.#when = when;
    }

    override async put(key: string, body: ObjectBody, options?: StoreCallOptions): Promise<void> {
      if (!key.endsWith(this.#name)) return this.inner.put(key, body, options);
      await this.#when();
      throw new PointbackError('store.failed', { message: 'The file server went away.' });
    }
  }

  it('after it hung so long that the server had to wait', { timeout: 30_000 }, async () => {
    const waiting = `SELECT FROM pg_stat_activity WHERE backend_type = 'walsender' AND wait_event IN ('WalSenderWriteData', 'ClientWrite')`;
    const serverWaits = (): Promise<unknown> =>
      waitFor('the server waits', async () => (await scene.server.sql(waiting)).length > 0);
    await scene.assertFails('store.failed', into(new FailsAt('base.tar', serverWaits)));
    await scene.assertWorks();
  });

  for (const name of ['backup_manifest', 'index.json']) {
    it(`at ${name}`, async () => {
      await scene.assertFails('store.failed', into(new FailsAt(name)));
      await scene.assertWorks();
    });
  }
});

describe('a restore onto a disk that gets full', { skip: notRoot }, () => {
  let disk: SmallDisk;
  let scene: Scene;
  before(async () => {
    disk = await SmallDisk.mount(200);
    scene = await Scene.open({ major: 18 });
  });
  after(async () => {
    await scene[Symbol.asyncDispose]();
    await disk[Symbol.asyncDispose]();
  });
  const plan = (targetDirectory: string): Promise<RestorePlan> =>
    planRestore(
      {
        repository: scene.repository,
        instance: scene.instance,
        targetDirectory,
        tablespaceMapping: new Map(),
        startResources: { serverBinaries: [], containerCommand: [] },
      },
      engineContext(),
    );

  it('is refused before a byte is written when it cannot fit', async () => {
    await disk.leaveFree(60 * mebibyte);
    const error = await failure(plan(join(disk.path, 'copy')));
    assertCode(error, 'restore.no-space');
    await disk.clear();
    assert.match(error.message, /\d MB .*\/copy.* 62\.9 MB are free/);
    assert.deepEqual(await readdir(disk.path), []);
  });

  it('fails whatever was being written at that moment, and leaves nothing', { timeout: 60_000 }, async () => {
    const created = join(disk.path, 'a/b/copy');
    const free = await disk.freeBytes();
    await runRestore(await plan(join(disk.path, 'whole')), engineContext());
    const whole = free - (await disk.freeBytes());
    await disk.clear();
    await rm(join(disk.path, 'whole'), { recursive: true });
    const existing = join(disk.path, 'existing');
    await mkdir(existing);
    const freeSpaces = [0, 4096, whole / 2, ...Array.from({ length: 6 }, (_, blocks) => whole - (blocks + 1) * 4096)];
    for (const [index, bytes] of freeSpaces.entries()) {
      const planned = await plan(index % 2 === 0 ? existing : created);
      await disk.leaveFree(bytes);
      const error = await failure(runRestore(planned, engineContext()));
      assertCode(error, 'restore.no-space');
      assert.match(error.remedy, /Nothing was left there/);
      assert.deepEqual(await openBelow(disk.path), []);
      assert.deepEqual(await openBelow(scene.repository.location), []);
      await disk.clear();
      assert.deepEqual(await readdir(disk.path, { recursive: true }), ['existing'], `${bytes} of ${whole} bytes free`);
      assert.ok((await stat(existing)).isDirectory());
    }
    assert.deepEqual(await readdir(join(scene.repository.location, 'shop')), ['backups', 'instance.json']);
    await runRestore(await plan(created), engineContext());
  });
});
